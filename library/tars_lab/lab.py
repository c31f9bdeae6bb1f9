# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: up repairs whatever is there, down leaves the host as it was."""

import contextlib
import fcntl
import hashlib
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tars_lab import base, cgroups, dhcp, host, images, layout, machine, network, processes, registry
from tars_lab.commands import LabError, Progress, run
from tars_lab.dsm_twin import install as dsm_twin
from tars_lab.layout import Lab, Machine
from tars_provision.controller import trust, vault

_LOCK = Path("/run/lock/tars-lab")
_DSM_MODEL = "DS1515+"


def up(inventory: Path, progress: Progress = print, *, keep: bool = False, lab: Lab | None = None) -> Lab:
    """Bring the lab of an inventory up, or complete what is there.

    Machines that run stay as they are. One that does not is made bare, or with `keep` booted from the disk it has.
    Ends with every machine booted and every image served. Raises LabError.
    """
    host.check()
    lab = lab or layout.load(Path(inventory))
    with _lock(lab):
        lab.record()
        if processes.clear(lab):
            progress("ended what an interrupted build had left")
        for place in _unmount(lab):
            progress(f"removed {place}, which an interrupted build had left")
        network.up(lab)
        dhcp.up(lab)
        registry.up(lab)
        machine.controller_key(lab)
        progress(f"network {lab.network} on {lab.bridge}, registry {lab.registry}")
        password = vault.ensure(Path(lab.inventory))["dsm_password"]
        base.minimal(lab, progress)
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(_machine_up, lab, m, password, keep, progress) for m in lab.machines]
            jobs.append(pool.submit(images.up, lab, progress))
        problems = [str(error) for job in jobs if (error := job.exception())]
        if problems:
            raise LabError("\n".join(problems))
        processes.clear(lab)
    progress("the lab is up")
    return lab


def _machine_up(lab: Lab, wanted: Machine, dsm_password: str, keep: bool, progress: Progress) -> None:
    def furnish(rootfs: Path) -> None:
        if wanted.dsm_account:
            dsm_twin.install(rootfs, _factory(wanted, dsm_password))

    began = time.monotonic()
    rootfs = lab.rootfs(wanted.name)
    if machine.system_state(lab, wanted) == "off":
        if not (keep and rootfs.exists()):
            tree = base.machine(lab, wanted.kind, progress, wanted.suite)
            began = time.monotonic()
            machine.create(lab, wanted, tree, furnish)
        machine.boot(lab, wanted)
        machine.wait(lab, wanted)
    machine.know(lab)
    if wanted.dsm_account:
        _record_certificate(lab, wanted)
    born = f", by DHCP {wanted.born}" if wanted.born else ""
    progress(f"{wanted.name} is up ({wanted.address}{born}, {time.monotonic() - began:.0f} s)")


def serial_number(name: str) -> str:
    """What a NAS of that name has on its label."""
    return f"LAB{int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**9:09d}"


def _factory(wanted: Machine, password: str) -> dict[str, object]:
    """What a NAS knows when it leaves its first-run wizard."""
    return {
        "model": _DSM_MODEL,
        "serial": serial_number(wanted.name),
        "account": wanted.dsm_account,
        "password": password,
        "hostname": wanted.name,
        "volumes": list(wanted.volumes),
    }


def _record_certificate(lab: Lab, wanted: Machine) -> None:
    """Record the fingerprint of the certificate the NAS made, as a person would on first contact."""
    pem = (lab.rootfs(wanted.name) / "etc/dsm-twin/cert.pem").read_text()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    trust.record(Path(lab.inventory), wanted.name, fingerprint, replace=True)


def down(progress: Progress = print, *, cache: bool = False, keep: bool = False, lab: Lab | None = None) -> list[str]:
    """Remove machines, namespaces, bridge, rules, mounts and processes of the lab; returns what was removed.

    The cache stays unless `cache`; the machines' disks go unless `keep`. Works on whatever a crash has left.
    """
    lab = lab or _last()
    removed = []
    with _lock(lab):
        removed += ["processes of an interrupted build"] if processes.clear(lab) else []
        groups = [name for name in cgroups.names(lab) if name not in (registry.NAME, dhcp.NAME)]
        with ThreadPoolExecutor() as pool:
            for name, job in [(name, pool.submit(machine.power_off, lab, name)) for name in groups]:
                job.result()
                removed.append(f"machine {name}")
        removed += registry.down(lab)
        removed += dhcp.down(lab)
        removed += network.down(lab)
        removed += _unmount(lab)
        folders = [] if keep else [lab.state_dir / "machines"]
        for folder in [*folders, *([lab.cache_dir] if cache else [])]:
            if folder.exists():
                base.remove(folder)
                removed.append(str(folder))
        (lab.state_dir / "lab.json").unlink(missing_ok=True)
    for line in removed:
        progress(f"removed {line}")
    return removed


def status(lab: Lab | None = None) -> dict[str, Any]:
    """The state of every part, as plain data; `up` is true when nothing is missing."""
    try:
        lab = lab or layout.recorded()
    except LabError as error:
        return {"up": False, "detail": str(error), "machines": {}, "registry": None, "images": {}}
    machines = {
        m.name: {"address": m.address, "address6": m.address6, "state": machine.system_state(lab, m)}
        for m in lab.machines
    }
    answers = registry.answers(lab)
    served = {reference: registry.digest(lab, reference) if answers else None for reference in lab.images.values()}
    ready = answers and all(m["state"] in ("running", "degraded") for m in machines.values()) and all(served.values())
    return {
        "up": ready,
        "inventory": lab.inventory,
        "network": lab.network,
        "machines": machines,
        "registry": lab.registry if answers else None,
        "images": served,
    }


def _last() -> Lab:
    """The lab that was up last; without a record, the names under which it would have left something."""
    try:
        return layout.recorded()
    except LabError:
        return Lab("", "", "", "", "http://127.0.0.1:0", {}, ())


def _unmount(lab: Lab) -> list[str]:
    """Unmount what an interrupted build or boot left under the lab's folders, innermost first."""
    folders = tuple(f"{folder}/" for folder in (lab.state_dir, lab.cache_dir))
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    left = [place for line in lines if (place := line.split()[4]).startswith(folders)]
    for place in reversed(left):
        run(["umount", "--lazy", place])
    return [f"mount {place}" for place in left]


@contextlib.contextmanager
def _lock(lab: Lab) -> Iterator[None]:
    """Keep two commands that change a lab or its cache apart."""
    lab.state_dir.mkdir(parents=True, exist_ok=True)
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"another command is changing the lab (it holds {_LOCK}); wait until it has ended"
            ) from error
        yield
