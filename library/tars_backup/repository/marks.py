# SPDX-License-Identifier: GPL-3.0-or-later
"""The marks of good backups: small files beside the repository, which survive the loss of the desktop."""

from __future__ import annotations

import json
from pathlib import Path

from .. import files, processes
from ..errors import DestinationError
from ..manifest import Mark, mark_document, mark_of

_REMOVED = "removed"
"""File of the ids that retention removed: on the share, so that they count as removed also for a new desktop."""


def read(folder: Path) -> tuple[dict[str, Mark], list[str]]:
    """Return the marks by id, and the names of files that are not marks."""
    return processes.isolated(lambda: _read(folder), subject=folder)


def _read(folder: Path) -> tuple[dict[str, Mark], list[str]]:
    marks: dict[str, Mark] = {}
    damaged: list[str] = []
    if not folder.is_dir():
        return marks, damaged
    for path in sorted(folder.glob("*.json")):
        try:
            mark = mark_of(json.loads(path.read_bytes()))
        except (ValueError, KeyError, TypeError, OSError):
            damaged.append(path.name)
            continue
        if path.stem == mark.id:
            marks[mark.id] = mark
        else:
            damaged.append(path.name)
    return marks, damaged


def write(folder: Path, mark: Mark) -> None:
    """Write the mark of a good backup, and read it back."""
    content = json.dumps(mark_document(mark), sort_keys=True).encode()

    def store() -> bool:
        folder.mkdir(exist_ok=True, mode=0o700)
        files.write(folder / f"{mark.id}.json", content)
        return (folder / f"{mark.id}.json").read_bytes() == content

    if not processes.isolated(store, subject=folder):
        raise DestinationError(
            folder / f"{mark.id}.json", found="other bytes than those written", expected="the bytes that were written"
        )


def removed(folder: Path) -> list[str]:
    """Return the ids of the backups that retention removed since the newest manifest."""
    path = folder / _REMOVED

    def load() -> list[str]:
        try:
            document = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return []
        return [str(name) for name in document] if isinstance(document, list) else []

    return processes.isolated(load, subject=folder)


def record_removed(folder: Path, names: list[str]) -> None:
    """Store the ids of the backups that retention removes, before it does."""
    content = json.dumps(sorted(names)).encode()

    def store() -> None:
        folder.mkdir(exist_ok=True, mode=0o700)
        files.write(folder / _REMOVED, content)

    processes.isolated(store, subject=folder)


def remove(folder: Path, names: list[str]) -> None:
    """Delete marks."""

    def delete() -> None:
        for name in names:
            (folder / f"{name}.json").unlink(missing_ok=True)

    processes.isolated(delete, subject=folder)
