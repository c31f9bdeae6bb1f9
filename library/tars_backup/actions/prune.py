# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the backups that the retention rules do not keep."""

from __future__ import annotations

import dataclasses
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from .. import catalog, destination, instants, program_lock
from ..catalog import Catalog
from ..configuration import MINIMUM_GOOD, Configuration
from ..context import Progress
from ..errors import BackupError, UsageError, VerificationError
from ..repository import locks, marks, retention
from ..restic import Restic
from ..state import State

LAZY = timedelta(days=7)
"""Time between two runs of restic prune: snapshots of the NAS keep what it rewrites."""

_DEADLINE_S = 4 * 3600.0


@dataclass(frozen=True)
class Pruned:
    """Why backups stay, which were removed (with dry_run: would be), and whether restic freed their disk space."""

    keep: Mapping[str, tuple[str, ...]]
    removed: tuple[str, ...]
    unfinished: tuple[str, ...]
    freed: bool
    dry_run: bool
    changed: bool

    @property
    def code(self) -> int:
        """Return 3 if a dry run has backups to remove."""
        return 3 if self.dry_run and (self.removed or self.unfinished) else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person: the calendar of what stays, then what goes."""
        for name, reasons in self.keep.items():
            yield f"keep    {name}  {', '.join(reasons)}"
        verb = "would remove" if self.dry_run else "removed"
        for name in self.removed:
            yield f"{verb} {name}"
        for name in self.unfinished:
            yield f"{verb} {name}, which was never finished"
        yield f"{len(self.keep)} backups stay"


def prune(configuration: Configuration, *, dry_run: bool, accept_missing: bool = False, progress: Progress) -> Pruned:
    """Remove what the retention rules do not keep and what killed runs left, and free the disk space.

    `accept_missing` forgets that backups are missing whose snapshots someone else has deleted.

    Raises:
        VerificationError: the last verification failed, or a backup is missing.
        UsageError: the repository is on a server that only appends.
        BackupError: the plan would leave too few backups, or a removal could not be confirmed.
    """
    if configuration.server:
        raise UsageError(
            f"copy {configuration.name}",
            found="a server in append-only mode",
            expected="a repository whose files this desktop may delete",
            next_step="Remove old backups on the server, with restic forget and restic prune",
        )
    if dry_run:
        restic = Restic(configuration)
        destination.open_for_reading(configuration, restic)
        return _plan(configuration, catalog.read(configuration, restic))
    with program_lock.held(configuration.state, "prune"):
        restic = Restic(configuration)
        destination.open_for_writing(configuration, restic)
        backups = catalog.read(configuration, restic)
        if accept_missing:
            accept_missing_backups(configuration, backups)
            backups = dataclasses.replace(backups, missing={})
        return carry_out(configuration, restic, backups, progress, now=True)


def carry_out(
    configuration: Configuration, restic: Restic, backups: Catalog, progress: Progress, *, now: bool
) -> Pruned:
    """Prune under the program's lock, in an opened destination; free disk space `now` or when it is due."""
    state = State(configuration.state)
    _refuse(state, backups)
    planned = _plan(configuration, backups)
    names = [*planned.removed, *planned.unfinished]
    free = now or _is_due(state)
    if names or free:
        for line in locks.heal(configuration, restic, state, exclusive=True):
            progress(line)
    if names:
        _forget(configuration, restic, state, backups, names)
    _remove_left_marks(configuration, backups)
    if free:
        progress("freeing disk space")
        restic.prune(deadline_s=_DEADLINE_S)
        restic.check(deadline_s=_DEADLINE_S)
    if free or not state.read("freed"):  # the time begins with the first run: a new repository has nothing to free
        state.write("freed", {"at": instants.to_text(instants.now())})
    return Pruned(planned.keep, planned.removed, planned.unfinished, free, dry_run=False, changed=bool(names))


def remove_unfinished(configuration: Configuration, restic: Restic, backups: Catalog, progress: Progress) -> Catalog:
    """Remove the snapshots of this desktop's runs that were not proven, with their data; return the other backups.

    Raises:
        LockedError: another program uses the repository.
    """
    state = State(configuration.state)
    names = _own_unfinished(state, backups)
    if not names:
        return backups
    progress(f"removing what {len(names)} runs left that were not finished")
    locks.heal(configuration, restic, state, exclusive=True)
    _forget(configuration, restic, state, backups, list(names))
    restic.prune(deadline_s=_DEADLINE_S)
    return dataclasses.replace(
        backups,
        snapshots={name: snapshot for name, snapshot in backups.snapshots.items() if name not in names},
        unfinished=tuple(name for name in backups.unfinished if name not in names),
    )


def _own_unfinished(state: State, backups: Catalog) -> tuple[str, ...]:
    attempts = state.read("attempts").get("ids", ())
    return tuple(name for name in backups.unfinished if name in attempts)


def _plan(configuration: Configuration, backups: Catalog) -> Pruned:
    zone = zoneinfo.ZoneInfo(configuration.zone)
    dates = {name: mark.made_at for name, mark in backups.good.items()}
    plan = retention.plan(dates, configuration.retention, zone, instants.now())
    unfinished = _own_unfinished(State(configuration.state), backups)
    if plan.remove and len(plan.keep) < MINIMUM_GOOD:
        raise BackupError(
            "retention",
            found=f"{len(plan.keep)} backups would stay",
            expected=f"at least {MINIMUM_GOOD}",
            next_step="Raise the numbers of the retention rules",
        )
    return Pruned(plan.keep, plan.remove, unfinished, freed=False, dry_run=True, changed=False)


def _refuse(state: State, backups: Catalog) -> None:
    """Raise if backups may be damaged or were deleted: then older ones may be needed."""
    problems = [*state.read("verified").get("problems", ()), *state.read("share").get("problems", ())]
    problems += [*backups.problems, *(f"{name} is missing" for name in backups.missing)]
    if problems:
        raise VerificationError(
            "prune",
            found="; ".join(problems),
            expected="backups that are all sound",
            next_step="Run tars-backup verify --all --data; nothing is pruned until it succeeds",
        )


def _forget(configuration: Configuration, restic: Restic, state: State, backups: Catalog, names: list[str]) -> None:
    """Remove snapshots, confirm that they are gone, and remove their marks."""
    # Recorded first: a backup that is gone without a record counts as deleted by someone else.
    named = {mark.id for mark in backups.newest.living} if backups.newest else set()
    recorded = sorted(named.intersection(state.read("pruned").get("ids", ())).union(names))
    state.write("pruned", {"ids": recorded})
    marks.record_removed(configuration.good, recorded)
    snapshots = [backups.snapshots[name].id for name in names]
    restic.forget(snapshots)
    left = {snapshot.id for snapshot in restic.snapshots()}.intersection(snapshots)
    if left:
        raise BackupError(
            configuration.repository,
            found=f"snapshots that restic could not delete: {', '.join(sorted(left))}",
            expected="their removal",
            next_step="Check the permissions of the share on the NAS",
        )
    marks.remove(configuration.good, names)
    remaining = [name for name in state.read("attempts").get("ids", ()) if name not in names]
    state.write("attempts", {"ids": remaining})


def accept_missing_backups(configuration: Configuration, backups: Catalog) -> None:
    """Record the backups that are missing as removed."""
    state = State(configuration.state)
    recorded = sorted({*state.read("pruned").get("ids", ()), *backups.missing})
    state.write("pruned", {"ids": recorded})
    marks.record_removed(configuration.good, recorded)
    marks.remove(configuration.good, list(backups.missing))


def _remove_left_marks(configuration: Configuration, backups: Catalog) -> None:
    """Remove marks whose snapshots an interrupted prune has removed already."""
    known, _ = marks.read(configuration.good)
    pruned = State(configuration.state).read("pruned").get("ids", ())
    left = [name for name in known if name not in backups.snapshots and name in pruned]
    if left:
        marks.remove(configuration.good, left)


def _is_due(state: State) -> bool:
    """Return whether restic has freed disk space too long ago, or at a time that this clock has not reached."""
    last = state.read("freed").get("at")
    return last is not None and not timedelta(0) <= instants.now() - instants.from_text(last) < LAZY
