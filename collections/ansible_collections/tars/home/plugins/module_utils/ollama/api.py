# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama's REST API as far as models are concerned (docs/api.md of Ollama): which are there, and pulling one."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence

from ..system.jobs import Run

ANSWER_TIMEOUT_S = 30
"""Seconds without a byte after which the server counts as gone."""


_ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


class OllamaError(Exception):
    """The server cannot be reached, or refuses. The message says what was asked."""


def full_name(name: str) -> str:
    """A model's name with its tag; Ollama means `latest` where none is given."""
    return name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"


def held(tags: Mapping[str, Any]) -> Dict[str, str]:
    """Full name -> digest (SHA-256 of the manifest) of the models in the answer of /api/tags."""
    rows = tags.get("models") or []
    return {full_name(row.get("model") or row["name"]): row.get("digest", "") for row in rows}


@dataclass(frozen=True)
class Plan:
    """What is to be done: models to pull and to delete, and those whose digest is not the recorded one."""

    pull: List[str]
    delete: List[str]
    moved: List[str]


def plan(wanted: Sequence[str], here: Mapping[str, str], recorded: Mapping[str, str], exclusive: bool) -> Plan:
    """Compare the wanted models with those that are here, and these with their recorded digests."""
    names = {full_name(name): name for name in wanted}
    return Plan(
        pull=[name for full, name in names.items() if full not in here],
        delete=sorted(full for full in here if full not in names) if exclusive else [],
        moved=[name for full, name in names.items() if here.get(full) and here[full] != recorded.get(name, here[full])],
    )


def outcome(here: Mapping[str, str], done: Plan) -> Dict[str, str]:
    """What would be here after a plan; a digest is not known before the pull."""
    left = {name: digest for name, digest in here.items() if name not in done.delete}
    return {**left, **{full_name(name): "pulled" for name in done.pull}}


def progress(name: str, event: Mapping[str, Any]) -> str:
    """One event of a pull's stream as a line for people."""
    done, total = event.get("completed"), event.get("total")
    if not total:
        return f"pulling {name}: {event.get('status', 'asked')}"
    # `completed` is absent until the first byte of a layer has come.
    share = 100 * (done or 0) // total
    return f"pulling {name}: {share} % of {total / 1e6:.0f} MB"


def events(lines: Iterable[bytes], what: str) -> Iterator[Dict[str, Any]]:
    """The objects of a stream.

    Raises:
        OllamaError: the stream holds an error, which the server sends with status 200.
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
"""Options by which a module is told where the server is; one of url and container is required."""


def address(run: Run, docker: Optional[str], params: Mapping[str, Any]) -> str:
    """The server's URL by those options. Empty where its container does not run."""
    if params["url"]:
        url: str = params["url"].rstrip("/")
        return url
    if docker is None:
        return ""
    rc, out, _ = run([docker, "inspect", f"--format={_ADDRESSES}", params["container"]])
    return f"http://{out.split()[0]}:{params['port']}" if rc == 0 and out.split() else ""


def open_url(
    url: str,
    path: str,
    body: Optional[Mapping[str, Any]] = None,
    timeout: float = ANSWER_TIMEOUT_S,
    method: Optional[str] = None,
) -> Any:
    """An open response; `timeout` in seconds of silence. No proxy is asked: the server is on this machine."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, headers={"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise OllamaError(
                f"{url}{path} answers {error.code}: {error.read(500).decode('utf-8', 'replace')}"
            ) from None
    except (urllib.error.URLError, OSError) as error:
        raise OllamaError(f"{url}{path} cannot be reached: {getattr(error, 'reason', error)}") from None


def tags(url: str) -> Dict[str, Any]:
    """The answer of /api/tags."""
    with open_url(url, "/api/tags") as response:
        answer: Dict[str, Any] = json.load(response)
    return answer


def delete(url: str, name: str) -> None:
    """Remove a model and the files no other model shares."""
    with open_url(url, "/api/delete", {"model": name}, method="DELETE"):
        pass


def loaded(url: str) -> List[str]:
    """Full names of the models in memory."""
    with open_url(url, "/api/ps") as response:
        return [full_name(row.get("model") or row["name"]) for row in json.load(response).get("models") or []]


def unload(url: str, name: str) -> None:
    """Let the server forget a model that is in memory; it does so once no answer needs it."""
    with open_url(url, "/api/generate", {"model": name, "keep_alive": 0, "stream": False}) as response:
        response.read()


def pull(url: str, name: str, seconds: float) -> Optional[str]:
    """Pull a model for at most that long. A pull that is cut goes on where it was when asked for again.

    Returns:
        None once the model is here, else a line that says how far it is.
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
    raise OllamaError(f"The server ended the pull of {name} without saying success; last it said: {line}")
