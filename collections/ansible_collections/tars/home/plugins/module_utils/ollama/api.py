# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama's REST API as far as models are concerned (docs/api.md of Ollama): which are there, and pulling one."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..resource.errors import ResourceError
from ..system.jobs import Run

ANSWER_TIMEOUT_S = 30
"""Seconds without a byte after which a request fails."""


ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


class OllamaError(ResourceError):
    """The server cannot be reached, or refuses a request. The message names the request."""


def full_name(name: str) -> str:
    """Return a model's name with its tag; without one, Ollama means `latest`."""
    return name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"


def held(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return full name -> digest (SHA-256 of the manifest) of the models in the answer of /api/tags."""
    rows = tags.get("models") or []
    return {full_name(row.get("model") or row["name"]): row.get("digest", "") for row in rows}


def progress(name: str, event: Mapping[str, Any]) -> str:
    """Return one event of a pull's stream as a line of progress."""
    done, total = event.get("completed"), event.get("total")
    if not total:
        return f"pulling {name}: {event.get('status', 'requested')}"
    # `completed` is absent until the first byte of a layer has come.
    share = 100 * (done or 0) // total
    return f"pulling {name}: {share} % of {total / 1e6:.0f} MB"


def events(lines: Iterable[bytes], what: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a stream.

    Raises:
        OllamaError: the stream contains an error, which the server sends with status 200.
    """
    for line in lines:
        if not line.strip():
            continue
        event = json.loads(line)
        if "error" in event:
            raise OllamaError(f"{what} failed: {event['error']}")
        yield event


SERVER = {
    "url": {"type": "str"},
    "container": {"type": "str"},
    "port": {"type": "int", "default": 11434},
}
"""Options of a module with the address of the server; one of url and container is required."""


def address(run: Run, docker: str | None, params: Mapping[str, Any]) -> str:
    """Return the server's URL by those options; empty if its container does not run."""
    if params["url"]:
        url: str = params["url"].rstrip("/")
        return url
    if docker is None:
        return ""
    rc, out, _ = run([docker, "inspect", f"--format={ADDRESSES}", params["container"]])
    return f"http://{out.split()[0]}:{params['port']}" if rc == 0 and out.split() else ""


def open_url(
    url: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    timeout: float = ANSWER_TIMEOUT_S,
    method: str | None = None,
) -> Any:
    """Return an open response; `timeout` is in seconds without a byte. No proxy is used: the server is on this
    machine."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    # The callers build the URL from a container's address: it is always http.
    request = urllib.request.Request(url + path, data=data, headers=headers, method=method)  # noqa: S310 - see above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise OllamaError(
                f"{url}{path} answered {error.code}: {error.read(500).decode('utf-8', 'replace')}"
            ) from None
    except (urllib.error.URLError, OSError) as error:
        raise OllamaError(f"{url}{path} cannot be reached: {getattr(error, 'reason', error)}") from None


def tags(url: str) -> dict[str, Any]:
    """Return the answer of /api/tags."""
    with open_url(url, "/api/tags") as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def delete(url: str, name: str) -> None:
    """Delete a model and the files that no other model uses."""
    with open_url(url, "/api/delete", {"model": name}, method="DELETE"):
        pass


def loaded(url: str) -> list[str]:
    """Return the full names of the models in memory."""
    with open_url(url, "/api/ps") as response:
        return [full_name(row.get("model") or row["name"]) for row in json.load(response).get("models") or []]


def unload(url: str, name: str) -> None:
    """Remove a model from memory; the server does so once no answer needs it."""
    with open_url(url, "/api/generate", {"model": name, "keep_alive": 0, "stream": False}) as response:
        response.read()


def pull(url: str, name: str, seconds: float) -> str | None:
    """Pull a model for at most so many seconds. An interrupted pull continues where it was when requested again.

    Returns:
        None once the model is complete, otherwise a line of progress.
    """
    deadline = time.monotonic() + seconds
    line = progress(name, {})
    try:
        with open_url(url, "/api/pull", {"model": name, "stream": True}) as response:
            for event in events(response, f"Pulling {name}"):
                if event.get("status") == "success":
                    return None
                line = progress(name, event)
                if time.monotonic() >= deadline:
                    return line
    except OSError as error:
        raise OllamaError(f"The connection to {url} broke while {line}: {error}") from None
    raise OllamaError(f"The server ended the pull of {name} without success; its last status: {line}")
