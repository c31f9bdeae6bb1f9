# SPDX-License-Identifier: GPL-3.0-or-later
"""The component `chroma`: configuration and size of every collection. The vectors themselves are in the database."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..context import Context
from ..errors import BackupError
from .staging import Staging

_FILE = "collections.json"
_PATH = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_PAGE = 1000
_DEADLINE_S = 60

# The image has neither curl nor wget.
_SCRIPT = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && cat >&3 && cat <&3'


class Chroma:
    """The collections of Chroma, which the application fills from the database."""

    name = "chroma"
    derived = True

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write collections.json; return the numbers of collections and vectors.

        Raises:
            BackupError: Chroma does not answer, or answers with an error.
        """
        context.progress("collections of vectors")
        collections = sorted(_collections(context), key=lambda collection: str(collection["name"]))
        described = [_described(context, collection) for collection in collections]
        staging.write_json(_FILE, described)
        return _counts(described)

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what is wrong with collections.json."""
        path = folder / _FILE
        try:
            listed = _counts(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [f"{path}: {error!r}"]
        return [] if listed == dict(counts) else [f"{_FILE} lists {listed}, the manifest {dict(counts)}"]


def _counts(described: list[dict[str, Any]]) -> dict[str, int]:
    return {"collections": len(described), "vectors": sum(collection["count"] for collection in described)}


def _collections(context: Context) -> list[dict[str, Any]]:
    collections: list[dict[str, Any]] = []
    while True:
        page = _get(context, f"{_PATH}?limit={_PAGE}&offset={len(collections)}")
        collections += page
        if len(page) < _PAGE:
            return collections


def _described(context: Context, collection: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a collection, without its id, which is another one when it is created again."""
    return {
        "name": collection["name"],
        "dimension": collection["dimension"],
        "metadata": collection["metadata"],
        "configuration": collection["configuration_json"],
        "count": _get(context, f"{_PATH}/{collection['id']}/count"),
    }


class _Received:
    """The bytes of an answer, in the form that http.client reads."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._answer)


def _get(context: Context, path: str) -> Any:
    service, port = context.contract.vectors["service"], context.contract.vectors["port"]
    received = context.services.output(
        service,
        ["bash", "-c", _SCRIPT, "bash", str(port)],
        stdin=f"GET {path} HTTP/1.1\r\nHost: {service}\r\nConnection: close\r\n\r\n".encode(),
        deadline_s=context.deadline.remaining_s("backup of the collections", at_most=_DEADLINE_S),
    )
    answer = http.client.HTTPResponse(_Received(received))  # type: ignore[arg-type]  # it uses nothing else of a socket
    try:
        answer.begin()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise BackupError(
                f"{service} {path}", found=f"status {answer.status}: {body[:300]!r}", expected="status 200"
            )
        return json.loads(body)
    except (http.client.HTTPException, ValueError) as error:
        raise BackupError(f"{service} {path}", found=f"{error!r} in {received[:300]!r}", expected="JSON") from error
