# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry on the bridge: it serves the images of the stack under their upstream names, as a Docker Hub mirror."""

import http.client
import time

from tars_lab import cgroups, processes
from tars_lab.commands import LabError
from tars_lab.layout import Lab

NAME = "registry"
_START_SECONDS = 60
_MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def up(lab: Lab) -> None:
    """Start the registry unless it answers already. Raises LabError."""
    if answers(lab):
        return
    cgroups.kill(lab, NAME)
    host, port = lab.registry_address
    config = lab.state_dir / "registry.yml"
    storage = lab.cache_dir / "registry"
    storage.mkdir(parents=True, exist_ok=True)
    config.write_text(
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{host}:{port}', headers: {{X-Content-Type-Options: [nosniff]}}}}\n"
    )
    processes.launch(lab, NAME, ["docker-registry", "serve", str(config)])
    deadline = time.monotonic() + _START_SECONDS
    while not answers(lab):
        if time.monotonic() > deadline or not cgroups.pids(lab, NAME):
            raise LabError(
                f"registry: no answer on {host}:{port} after {_START_SECONDS} s; see its log {lab.log(NAME)}"
            )
        time.sleep(0.1)


def down(lab: Lab) -> list[str]:
    """Stop the registry and keep its images in the cache; return what was stopped."""
    running = bool(cgroups.pids(lab, NAME))
    cgroups.kill(lab, NAME)
    cgroups.remove(lab, NAME)
    return ["registry"] if running else []


def repository(reference: str) -> tuple[str, str]:
    """Return repository and tag of an image on a mirror of Docker Hub (`postgres:17` → `library/postgres`, `17`)."""
    name, _, tag = reference.partition(":")
    return name if "/" in name else f"library/{name}", tag or "latest"


def digest(lab: Lab, reference: str) -> str | None:
    """Return the digest of the image's manifest, None when the registry does not have the image."""
    name, tag = repository(reference)
    connection = http.client.HTTPConnection(*lab.registry_address, timeout=10)
    try:
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": _MANIFESTS})
        response = connection.getresponse()
        return response.headers["Docker-Content-Digest"] if response.status == 200 else None
    finally:
        connection.close()


def answers(lab: Lab) -> bool:
    """Return whether the registry answers on its address."""
    connection = http.client.HTTPConnection(*lab.registry_address, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
