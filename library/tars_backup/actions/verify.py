# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify that backups can be read back, before anyone needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .. import catalog, destination, instants
from ..configuration import Configuration
from ..context import Progress
from ..deadline import Deadline
from ..errors import BackupError, DestinationError, LockedError, RepositoryAbsentError, VerificationError, WrongKeyError
from ..repository import packs, verification
from ..restic import Restic
from ..state import State

_DEADLINE_S = 6 * 3600.0


@dataclass(frozen=True)
class Verified:
    """The backups whose every byte was read back, and the number of the repository's files that were."""

    backups: tuple[str, ...]
    files: int

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        for name in self.backups:
            yield f"{name}: every file read back and equal to its manifest"
        if self.files:
            yield f"{self.files} files of the repository read back and equal to their names"
        yield "the structure of the repository is sound, and no backup is missing"


def verify(configuration: Configuration, name: str, *, every: bool, data: bool, progress: Progress) -> Verified:
    """Read a backup back and compare every file; `every`: all backups; `data`: also each file of the repository.

    The outcome is recorded: after a failure, nothing is pruned until one of everything (`every`, `data`) succeeds.

    Raises:
        VerificationError: something differs, cannot be read, or is missing.
        BackupNotFoundError: there is no such backup.
        DestinationError, RepositoryAbsentError, WrongKeyError: the repository cannot be opened.
    """
    restic = Restic(configuration)
    deadline = Deadline(_DEADLINE_S)
    destination.open_for_reading(configuration, restic)
    problems: list[str] = []
    progress("checking the structure of the repository")
    try:
        restic.check(deadline_s=deadline.remaining_s("restic check"))
    except BackupError as error:
        problems.append(_problem(configuration, error))
    verified, more = _backups(configuration, restic, name, every, deadline, progress)
    problems += more
    files = {}
    if data:
        files = packs.sizes(configuration.repository)
        progress(f"reading {len(files)} files of the repository")
        problems += packs.damaged(configuration.repository, files, deadline)
    _record(State(configuration.state), problems, whole=every and data)
    if problems:
        raise VerificationError(
            configuration.repository,
            found="; ".join(problems),
            expected="backups that can be read back",
            next_step="Keep the snapshots that the NAS has of the share; docs/disaster-recovery.md has the next steps",
        )
    return Verified(tuple(verified), len(files))


def _record(state: State, problems: list[str], *, whole: bool) -> None:
    """Remember the outcome; one of a part leaves earlier problems, which may be in the other part."""
    earlier = [] if whole else state.read("verified").get("problems", [])
    known = list(dict.fromkeys([*earlier, *problems]))
    state.write("verified", {"at": instants.to_text(instants.now()), "ok": not known, "problems": known})


def _problem(configuration: Configuration, error: BackupError) -> str:
    """Return an error as a problem of the backups: one file of a share that answers cannot be read.

    Raises:
        BackupError: the error concerns the whole share or repository.
    """
    if isinstance(error, (LockedError, RepositoryAbsentError, WrongKeyError)):
        raise error
    if isinstance(error, DestinationError):
        destination.check_mount(configuration)
        destination.check_answer(configuration)
    return f"{error.subject}: {error.found}"


def _backups(
    configuration: Configuration, restic: Restic, name: str, every: bool, deadline: Deadline, progress: Progress
) -> tuple[list[str], list[str]]:
    """Return the ids of the backups that were read back, and what is wrong."""
    try:
        backups = catalog.read(configuration, restic)
    except BackupError as error:
        return [], [_problem(configuration, error)]
    problems = [*backups.problems]
    problems += [f"{mark.id}: missing: its snapshot was deleted" for mark in backups.missing.values()]
    if not backups.good and problems:
        return [], problems
    chosen = list(backups.good.values()) if every else [backups.resolve(name)]
    for mark in chosen:
        progress(f"reading {mark.id}")
        left_s = deadline.remaining_s(mark.id)
        try:
            problems += verification.differences(restic, backups.snapshots[mark.id], mark, deadline_s=left_s)
        except DestinationError as error:
            problems.append(_problem(configuration, error))
    return [mark.id for mark in chosen], problems
