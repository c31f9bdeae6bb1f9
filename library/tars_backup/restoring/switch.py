# SPDX-License-Identifier: GPL-3.0-or-later
"""Put new data folders and files in the place of the living ones, keep the old ones, and undo it.

What was replaced is kept as NAME.before-TIME, with the time of the switch in UTC. Its name is all that a later rollback
and its removal need.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from .. import files
from ..instants import UTC

KEPT = timedelta(days=14)
"""How long replaced folders are kept for a rollback."""

_FORMAT = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<name>.+)\.before-(?P<time>\d{8}T\d{6}Z)")
_NEW = ".restoring"

Moves = Sequence["tuple[Path, Path]"]
"""Renames in their order: source and target."""


def new_folder(data: Path) -> Path:
    """Return the place where the folder that will replace `data` is built."""
    return data.with_name(f"{data.name}{_NEW}")


def before(data: Path, moment: datetime) -> Path:
    """Return the place where `data` is kept after a switch."""
    return data.with_name(f"{data.name}.before-{moment.astimezone(UTC).strftime(_FORMAT)}")


def moves(folders: Iterable[tuple[Path, Path]], moment: datetime) -> list[tuple[Path, Path]]:
    """Return the renames that replace each `data` by `new`, from pairs of both."""
    planned: list[tuple[Path, Path]] = []
    for data, new in folders:
        if data.exists():
            planned.append((data, before(data, moment)))
        planned.append((new, data))
    return planned


def carry_out(planned: Moves) -> None:
    """Rename, and wait until the disk has the new names. Raises OSError; `undo` restores the old names then."""
    for source, target in planned:
        source.rename(target)
        files.sync_folder(target.parent)


def undo(planned: Moves) -> None:
    """Take back those of the renames that were carried out."""
    for source, target in reversed(planned):
        if target.exists() and not source.exists():
            target.rename(source)
            files.sync_folder(source.parent)


def kept(folders: Iterable[Path]) -> dict[datetime, list[tuple[Path, Path]]]:
    """Return pairs of a data folder and where its old content is kept, by the time of the switch."""
    result: dict[datetime, list[tuple[Path, Path]]] = {}
    for data in folders:
        for path in sorted(data.parent.glob(f"{data.name}.before-*")):
            match = _NAME.fullmatch(path.name)
            if match and match["name"] == data.name:
                moment = datetime.strptime(match["time"], _FORMAT).replace(tzinfo=UTC)
                result.setdefault(moment, []).append((data, path))
    return result


def remove_expired(folders: Iterable[Path], now: datetime) -> list[Path]:
    """Remove kept folders that are older than KEPT, and return them."""
    expired = [path for moment, pairs in kept(folders).items() if moment + KEPT <= now for _data, path in pairs]
    for path in expired:
        remove(path)
    return expired


def remove(path: Path) -> None:
    """Remove a folder with its content, or a file."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def is_set_aside(path: Path) -> bool:
    """Return whether a path is what a restore builds or keeps, by its name."""
    return path.name.endswith(_NEW) or bool(_NAME.fullmatch(path.name))
