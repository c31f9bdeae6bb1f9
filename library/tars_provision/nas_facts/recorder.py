# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a client's calls and their answers, and refuse to send anything that is not a read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from tars_provision.nas_facts.bridge import Client, Transport

READS = frozenset(
    {"get", "get_schedule", "getinfo", "info", "list", "listzone", "load", "login", "logout", "query", "status"}
)
"""Methods of DSM that change nothing beside the session itself. Any other could run even without arguments."""

SENT_AT_LOGIN = frozenset({"session", "format", "enable_syno_token", "query"})
"""Plain fields of a login and of a query of APIs that are kept; the others are secrets."""


@dataclass(frozen=True)
class Exchange:
    """One call: its parameters as native values, and DSM's whole answer."""

    api: str
    method: str
    version: int
    params: dict[str, Any]
    answer: Any


COMPOUND = "SYNO.Entry.Request"
"""API that takes several calls in one request."""


class NotAReadError(Exception):
    """A call that could change the NAS was about to be sent, which is a defect of this program."""


class Recorder:
    """Wraps a client's transport."""

    def __init__(self, client: Client) -> None:
        self.calls: list[Exchange] = []
        self._transport = client.transport
        client.link.transport = cast(Transport, self)

    def post(
        self, path: str, query: dict[str, str], form: dict[str, str], headers: dict[str, str], fresh: bool = False
    ) -> Any:
        """Send a form if all its calls are reads, and record the answers. Raises NotAReadError."""
        api, method = form.get("api", ""), form.get("method", "")
        params = parameters(form)
        parts = params.pop("compound", []) if api == COMPOUND else []
        for name, verb in [(part.get("api"), part.get("method")) for part in parts] or [(api, method)]:
            if verb not in READS:
                raise NotAReadError(f"{name} {verb} is not a read; nothing was sent")
        answer = whole = self._transport.post(path, query, form, headers, fresh)
        if parts and answer.get("success"):
            # Kept as if asked one by one, so that a recording does not depend on what a client asks together.
            data = answer.get("data") or {}
            for part, result in zip(parts, data.get("result") or [], strict=False):
                answered = {name: result[name] for name in ("success", "data", "error") if name in result}
                self.calls.append(Exchange(*split(part), answered))
            answer = {**answer, "data": {"has_fail": data.get("has_fail")}}
        self.calls.append(Exchange(api, method, int(form.get("version", 0)), params, answer))
        return whole

    def upload(self, *_: Any, **__: Any) -> Any:
        """Refuse every upload."""
        raise NotAReadError("an upload is not a read; nothing was sent")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def split(part: dict[str, Any]) -> tuple[str, str, int, dict[str, Any]]:
    """Return API, method, version and parameters of one part of a compound request."""
    params = {name: value for name, value in part.items() if name not in ("api", "method", "version")}
    return part["api"], part["method"], int(part["version"]), params


def parameters(form: dict[str, str]) -> dict[str, Any]:
    """Return a form's parameters as native values, without what names the call and without secrets."""
    given = {name: value for name, value in form.items() if name not in ("api", "method", "version")}
    if form.get("api") in ("SYNO.API.Auth", "SYNO.API.Info"):
        return {name: value for name, value in given.items() if name in SENT_AT_LOGIN}
    return {name: native(value) for name, value in given.items()}


def native(value: str) -> Any:
    """Return a form's value as native data; as text if it is not JSON."""
    try:
        return json.loads(value)
    except ValueError:
        return value
