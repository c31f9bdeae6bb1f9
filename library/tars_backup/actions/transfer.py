# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy backups from one repository to another, so that damage in one does not reach the other.

Each backup is read whole and compared with its manifest before it is copied; what was added is read back afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .. import catalog, destination
from ..catalog import Catalog
from ..configuration import Configuration
from ..context import Progress
from ..deadline import Deadline
from ..errors import BackupError, DestinationError, VerificationError
from ..manifest import Mark
from ..repository import locks, marks, packs, verification
from ..restic import Restic, Snapshot
from ..state import State
from . import prune

_DEADLINE_S = 12 * 3600.0
_BATCH = 16
"""Backups that are proven together: what a command that is ended has to repeat."""


class Place(NamedTuple):
    """An opened repository."""

    configuration: Configuration
    restic: Restic
    backups: Catalog


def read(configuration: Configuration) -> Place:
    """Open a repository for reading."""
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    return Place(configuration, restic, catalog.read(configuration, restic))


def open_to_write(configuration: Configuration, progress: Progress) -> Place:
    """Open a repository for writing, without the locks of killed commands and without what was found damaged."""
    restic = Restic(configuration)
    destination.open_for_writing(configuration, restic)
    locks.heal(configuration, restic, State(configuration.state), exclusive=False)
    backups = catalog.read(configuration, restic)
    if not configuration.server:
        backups = prune.remove_unfinished(configuration, restic, backups, progress)
    return Place(configuration, restic, backups)


def transfer(source: Place, target: Place, names: Sequence[str], progress: Progress) -> list[str]:
    """Copy backups, and return what is wrong with those that were left out because they are damaged.

    Raises:
        VerificationError: what was read back from the target differs.
    """
    deadline = Deadline(_DEADLINE_S)
    damaged: list[str] = []
    for start in range(0, len(names), _BATCH):
        sound = []
        for name in names[start : start + _BATCH]:
            progress(f"reading {name}")
            mark, snapshot = source.backups.good[name], source.backups.snapshots[name]
            problems = verification.differences(
                source.restic, snapshot, mark, deadline_s=deadline.remaining_s(f"reading {name}")
            )
            damaged += problems
            sound += [] if problems else [name]
        if sound:
            _copy_batch(source, target, sound, deadline, progress)
    return damaged


def _copy_batch(source: Place, target: Place, names: Sequence[str], deadline: Deadline, progress: Progress) -> None:
    progress(f"copying {', '.join(names)}")
    snapshots = [source.backups.snapshots[name].id for name in names]
    target.restic.copy(source.configuration, snapshots, deadline_s=deadline.remaining_s("restic copy"))
    progress("reading back what was copied")
    configuration = target.configuration
    target.restic.check(deadline_s=deadline.remaining_s("restic check"))
    added = packs.unproven(configuration.repository, configuration.good)
    sizes = packs.sizes(configuration.repository)
    problems = packs.damaged(configuration.repository, {name: sizes[name] for name in added}, deadline)
    copied = catalog.read(configuration, target.restic).snapshots
    for name in names:
        problems += _differences(target, copied.get(name), source.backups.good[name], deadline) if not problems else []
    if problems:
        # restic would use the damaged data again: the next command removes these first.
        state = State(configuration.state)
        state.write("attempts", {"ids": [*state.read("attempts").get("ids", ()), *names]})
        raise VerificationError(
            configuration.repository,
            found="; ".join(problems),
            expected="the bytes that were copied",
            next_step="Check the disk, then repeat the command",
        )
    for name in names:
        marks.write(configuration.good, source.backups.good[name])


def _differences(target: Place, snapshot: Snapshot | None, mark: Mark, deadline: Deadline) -> list[str]:
    """Return how a copied backup differs from its mark; the files of the repository have been read back already."""
    if snapshot is None:
        return [f"{mark.id}: not in the repository"]
    if target.configuration.server:
        # Its files cannot be read as such.
        left_s = deadline.remaining_s(f"reading {mark.id} back")
        return verification.differences(target.restic, snapshot, mark, deadline_s=left_s)
    try:
        catalog.manifest_of(target.restic, snapshot, mark)
    except DestinationError:
        raise
    except BackupError as error:
        return [f"{mark.id}: {error}"]
    return []


def refuse(source: Configuration, damaged: list[str]) -> None:
    """Raise if backups of the source are damaged; then nothing is removed anywhere."""
    if damaged:
        raise VerificationError(
            source.repository,
            found="; ".join(damaged),
            expected="backups that can be read back",
            next_step="Run tars-backup verify --all --data; sound backups were copied, the damaged ones were left out",
        )


def origin_files(folder: Path) -> list[Path]:
    """Return the files that make a folder a repository that the key opens."""
    return [folder / "config", *sorted(path for path in (folder / "keys").glob("*") if "-tmp-" not in path.name)]
