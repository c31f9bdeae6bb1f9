# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy backups to the copies of the repository: on a disk, on a second NAS, or on a server."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

from .. import catalog, files, instants, manifest, media, processes, program_lock
from ..catalog import Catalog
from ..configuration import Configuration
from ..context import Progress
from ..deadline import Deadline
from ..errors import BackupError, InterruptionError, NotConnectedError
from ..repository import packs, retention, verification
from ..state import State
from . import prune
from .transfer import Place, open_to_write, origin_files, read, refuse, transfer

_PROGRAMS = ("RECOVERY.md", "restic", "tars-backup")
"""Files beside the first repository, with which a copy is readable without any of the machines."""


_READ_S = 6 * 3600.0


@dataclass(frozen=True)
class Outcome:
    """What was done at one copy; with dry_run, what would be. `absent_since` is set if its disk is not connected."""

    name: str
    copied: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    backups: int = 0
    absent_since: str | None = None


@dataclass(frozen=True)
class Copied:
    """The outcome at each copy."""

    copies: tuple[Outcome, ...]
    dry_run: bool
    changed: bool

    @property
    def code(self) -> int:
        """Return 3 if a dry run has backups to copy."""
        return 3 if self.dry_run and self.changed else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        verb = "would copy" if self.dry_run else "copied"
        for copy in self.copies:
            if copy.absent_since:
                yield f"{copy.name}: not connected since {copy.absent_since}"
                continue
            yield f"{copy.name}: {verb} {len(copy.copied)} backups, {copy.backups} are there"
            yield from (f"{copy.name}: removed {name} by its retention rules" for name in copy.removed)


def copy(configuration: Configuration, name: str | None, *, dry_run: bool, progress: Progress) -> Copied:
    """Copy the good backups that each copy keeps by its rules and lacks, and remove there what its rules do not keep.

    A disk that is not connected is left out, unless it was named. All copies are tried.

    Raises:
        UsageError: there is no such copy.
        VerificationError: a backup is damaged, in the first repository or in the copy; sound ones were copied.
        BackupError: a copy failed; the message names each that did.
    """
    names = [name] if name else list(configuration.copies)
    outcomes: list[Outcome] = []
    errors: list[BackupError] = []
    with program_lock.held(configuration.state, "copy"):
        for copy_name in names:
            state = State(configuration.of_copy(copy_name).state)
            try:
                with media.opened(configuration, copy_name) as target:
                    outcomes.append(_copy(configuration, target, dry_run=dry_run, progress=progress))
                _record(state, outcomes[-1], dry_run=dry_run)
            except NotConnectedError:
                since = str(state.read("copy").get("absent_since") or instants.to_text(instants.now()))
                if not dry_run:
                    state.write("copy", {**state.read("copy"), "absent_since": since})
                if name:
                    raise
                outcomes.append(Outcome(copy_name, absent_since=since))
            except InterruptionError:
                raise
            except BackupError as error:
                _record(state, error, dry_run=dry_run)
                errors.append(error)
    if len(errors) > 1:
        raise BackupError("copies", found="; ".join(map(str, errors)), expected="copies that are up to date")
    if errors:
        raise errors[0]
    return Copied(tuple(outcomes), dry_run, changed=any(outcome.copied or outcome.removed for outcome in outcomes))


def _record(state: State, outcome: Outcome | BackupError, *, dry_run: bool) -> None:
    """Remember how a copy ended, for `list` and for the alarm of silence."""
    if dry_run:
        return
    moment, record = instants.to_text(instants.now()), state.read("copy")
    if isinstance(outcome, Outcome):
        record |= {"ok": True, "code": 0, "message": "", "last_ok": moment, "backups": outcome.backups}
        record["failed_since"] = None
    else:
        record |= {"ok": False, "code": outcome.code, "message": str(outcome)}
        record["failed_since"] = record.get("failed_since") or moment
    state.write("copy", {**record, "at": moment, "absent_since": None})


def _copy(configuration: Configuration, copied: Configuration, *, dry_run: bool, progress: Progress) -> Outcome:
    source = read(configuration)
    with program_lock.held(copied.state, "copy"):
        target = read(copied) if dry_run else open_to_write(copied, progress)
        names = _lacking(source.backups, target)
        if dry_run:
            return Outcome(copied.name, tuple(names), backups=len(target.backups.good))
        progress(f"{copied.name}: copying {len(names)} backups")
        damaged = transfer(source, target, names, progress)
        _keep_origin(configuration, copied)
        backups = catalog.read(copied, target.restic)
        newest = next(reversed(catalog.by_age(backups.good.values())), None)
        if newest:
            record = {**manifest.mark_document(newest), "confirmed_at": instants.to_text(instants.now())}
            State(copied.state).write("last_good", {**record, "repository": copied.repository_id})
        refuse(configuration, damaged)
        removed: tuple[str, ...] = ()
        if not copied.server:
            # As often as the first repository, also for a disk that is connected once a week.
            limit = Deadline(_READ_S)
            verification.read_daily_share(copied, instants.now(), limit, at_most=packs.SHARES)
            removed = prune.carry_out(copied, target.restic, backups, progress, now=False).removed
        return Outcome(copied.name, tuple(names), removed, len(backups.good) - len(removed))


def _lacking(source: Catalog, target: Place) -> list[str]:
    """Return the backups to copy, newest first: of those in either place, what the copy's rules keep and it lacks."""
    configuration = target.configuration
    everything = {**target.backups.good, **source.good}
    dates = {name: mark.made_at for name, mark in everything.items()}
    keep = retention.plan(dates, configuration.retention, zoneinfo.ZoneInfo(configuration.zone), instants.now()).keep
    order = reversed(catalog.by_age(source.good.values()))
    return [mark.id for mark in order if mark.id in keep and mark.id not in target.backups.good]


def _keep_origin(configuration: Configuration, copied: Configuration) -> None:
    """Store beside the copy `config` and `keys` of the first repository, which a new share gets back, and programs."""

    def store() -> None:
        copied.origin.mkdir(exist_ok=True, mode=0o700)
        (copied.origin / "keys").mkdir(exist_ok=True, mode=0o700)
        repository, share = configuration.repository, configuration.repository.parent
        pairs = [(path, copied.origin / path.relative_to(repository)) for path in origin_files(repository)]
        if not copied.server:
            pairs += [(share / name, copied.origin.parent / name) for name in _PROGRAMS if (share / name).is_file()]
        for path, target in pairs:
            if not target.is_file() or target.read_bytes() != path.read_bytes():
                files.write(target, path.read_bytes(), path.stat().st_mode & 0o777)

    processes.isolated(store, subject=copied.origin, deadline_s=120, folder=copied.repository)
