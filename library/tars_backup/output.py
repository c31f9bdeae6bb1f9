# SPDX-License-Identifier: GPL-3.0-or-later
"""The two forms of a command's outcome: one JSON object, or lines for a person."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from .errors import BackupError

SCHEMA = 1


class Result(Protocol):
    """The outcome of an action: a dataclass whose fields are the JSON object's."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def code(self) -> int:
        """Return the exit code: 0, or 3 if a preview shows pending changes."""

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""


def success(command: str, result: Result) -> dict[str, Any]:
    """Return the JSON object of a command that was carried out. `text` is the outcome for a person."""
    head = {"schema": SCHEMA, "command": command, "ok": True, "error": None, "text": "\n".join(result.lines())}
    return {**head, **dataclasses.asdict(result)}


def failure(command: str, error: BackupError) -> dict[str, Any]:
    """Return the JSON object of a command that failed."""
    detail = {
        "code": error.code,
        "kind": type(error).__name__,
        "message": str(error),
        "subject": error.subject,
        "found": error.found,
        "expected": error.expected,
        "next_step": error.next_step,
    }
    return {"schema": SCHEMA, "command": command, "ok": False, "error": detail}


def to_json(document: Any) -> str:
    """Return a document as one line of JSON: keys sorted, times in ISO 8601 with their offset, paths as text."""
    return json.dumps(document, sort_keys=True, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
