# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy backups to the copies of the repository, and from a copy back to a share that was lost.

A copy is a repository of its own. Each backup is read whole and compared with its manifest before it is copied, and
what was added is read back afterwards, so that damage in one repository does not reach another.
"""

from __future__ import annotations

import contextlib
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from .. import catalog, destination, files, instants, manifest, media, processes, program_lock
from ..catalog import Catalog
from ..configuration import Configuration
from ..context import Progress
from ..deadline import Deadline
from ..errors import (
    BackupError,
    DestinationError,
    InterruptionError,
    NotConnectedError,
    RepositoryAbsentError,
    VerificationError,
)
from ..manifest import Mark
from ..repository import locks, marks, packs, retention, verification
from ..restic import Restic, Snapshot
from ..state import State
from . import prune
from .init import FOLDERS, clear

_DEADLINE_S = 12 * 3600.0
_BATCH = 16
"""Backups that are proven together: what a command that is ended has to repeat."""

_BRINGING_BACK = "bringing_back"
_PROGRAMS = ("RECOVERY.md", "restic", "tars-backup")
"""Files beside the first repository, with which a copy is readable without any of the machines."""


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


@dataclass(frozen=True)
class BroughtBack:
    """The backups that were copied to the share, and those that were only on the lost one."""

    source: str
    copied: tuple[str, ...]
    lost: tuple[str, ...]
    dry_run: bool
    changed: bool

    @property
    def code(self) -> int:
        """Return 3 if a dry run has backups to copy."""
        return 3 if self.dry_run and self.changed else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        verb = "would copy" if self.dry_run else "copied"
        yield f"{verb} {len(self.copied)} backups from {self.source} to the share"
        yield from (f"lost: {name}, which {self.source} does not have" for name in self.lost)


class Place(NamedTuple):
    """An opened repository."""

    configuration: Configuration
    restic: Restic
    backups: Catalog


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
    else:
        record |= {"ok": False, "code": outcome.code, "message": str(outcome)}
    state.write("copy", {**record, "at": moment, "absent_since": None})


def _copy(configuration: Configuration, copied: Configuration, *, dry_run: bool, progress: Progress) -> Outcome:
    source = _read(configuration)
    with program_lock.held(copied.state, "copy"):
        target = _read(copied) if dry_run else _open(copied, progress)
        names = _lacking(source.backups, target)
        if dry_run:
            return Outcome(copied.name, tuple(names), backups=len(target.backups.good))
        progress(f"{copied.name}: copying {len(names)} backups")
        damaged = _transfer(source, target, names, progress)
        _keep_origin(configuration, copied)
        backups = catalog.read(copied, target.restic)
        newest = next(reversed(catalog.by_age(backups.good.values())), None)
        if newest:
            record = {**manifest.mark_document(newest), "confirmed_at": instants.to_text(instants.now())}
            State(copied.state).write("last_good", record)
        _refuse(configuration, damaged)
        removed: tuple[str, ...] = ()
        if not copied.server:
            removed = prune.carry_out(copied, target.restic, backups, progress, now=False).removed
        return Outcome(copied.name, tuple(names), removed, len(backups.good) - len(removed))


def bring_back(configuration: Configuration, name: str, *, dry_run: bool, progress: Progress) -> BroughtBack:
    """Copy all backups of a copy to the share of the NAS, whose repository was lost, and keep the repository's id.

    Raises:
        UsageError: there is no such copy.
        RepositoryAbsentError: the copy lacks the files of the lost repository.
        VerificationError: a backup of the copy is damaged; sound ones were copied.
        BackupError: the share holds something else.
    """
    with program_lock.held(configuration.state, "copy"), media.opened(configuration, name) as copied:
        source = _with_unmarked(_read(copied))
        if dry_run:
            return BroughtBack(name, tuple(source.backups.good), (), dry_run, changed=bool(source.backups.good))
        state = State(configuration.state)
        destination.check_mount(configuration)
        destination.check_writable(configuration)
        if not processes.isolated((configuration.repository / "config").is_file, subject=configuration.repository):
            # Kept until all is there: only then are backups that the copy lacks lost, and not deleted by someone.
            state.write(_BRINGING_BACK, {"source": name})
            _put_origin_back(configuration, copied)
        target = _open(configuration, progress)
        order = reversed(catalog.by_age(source.backups.good.values()))
        names = [mark.id for mark in order if mark.id not in target.backups.good]
        progress(f"copying {len(names)} backups from {name}")
        damaged = _transfer(source, target, names, progress)
        _refuse(copied, damaged)
        lost: tuple[str, ...] = ()
        if state.read(_BRINGING_BACK):
            backups = catalog.read(configuration, target.restic)
            lost = tuple(backups.missing)
            prune.accept_missing_backups(configuration, backups)
            # Everything that is there now was read back. What was found wrong before concerns the lost repository.
            state.write("verified", {"at": instants.to_text(instants.now()), "ok": True, "problems": []})
            state.write("share", {})
            state.write(_BRINGING_BACK, {})
        return BroughtBack(name, tuple(names), lost, dry_run, changed=bool(names))


def _read(configuration: Configuration) -> Place:
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    return Place(configuration, restic, catalog.read(configuration, restic))


def _open(configuration: Configuration, progress: Progress) -> Place:
    restic = Restic(configuration)
    destination.open_for_writing(configuration, restic)
    locks.heal(configuration, restic, State(configuration.state), exclusive=False)
    backups = catalog.read(configuration, restic)
    if not configuration.server:
        backups = prune.remove_unfinished(configuration, restic, backups, progress)
    return Place(configuration, restic, backups)


def _with_unmarked(place: Place) -> Place:
    """Return a copy whose marks are lost with all its backups: each is read whole before it is copied anyway."""
    if place.backups.good:
        return place
    good = {}
    for name, snapshot in place.backups.snapshots.items():
        with contextlib.suppress(BackupError):
            content = place.restic.dump(snapshot.id, manifest.NAME)
            document = manifest.decoded(content, name)
            good[name] = Mark(name, document.made_at, document.content, manifest.sha256(content))
    return place._replace(backups=replace(place.backups, good=good, unfinished=()))


def _lacking(source: Catalog, target: Place) -> list[str]:
    """Return the backups to copy, newest first: of those in either place, what the copy's rules keep and it lacks."""
    configuration = target.configuration
    everything = {**target.backups.good, **source.good}
    dates = {name: mark.made_at for name, mark in everything.items()}
    keep = retention.plan(dates, configuration.retention, zoneinfo.ZoneInfo(configuration.zone), instants.now()).keep
    order = reversed(catalog.by_age(source.good.values()))
    return [mark.id for mark in order if mark.id in keep and mark.id not in target.backups.good]


def _transfer(source: Place, target: Place, names: Sequence[str], progress: Progress) -> list[str]:
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


def _refuse(source: Configuration, damaged: list[str]) -> None:
    """Raise if backups of the source are damaged; then nothing is removed anywhere."""
    if damaged:
        raise VerificationError(
            source.repository,
            found="; ".join(damaged),
            expected="backups that can be read back",
            next_step="Run tars-backup verify --all --data; sound backups were copied, the damaged ones were left out",
        )


def _keep_origin(configuration: Configuration, copied: Configuration) -> None:
    """Store beside the copy `config` and `keys` of the first repository, which a new share gets back, and programs."""

    def store() -> None:
        copied.origin.mkdir(exist_ok=True, mode=0o700)
        (copied.origin / "keys").mkdir(exist_ok=True, mode=0o700)
        repository, share = configuration.repository, configuration.repository.parent
        pairs = [(path, copied.origin / path.relative_to(repository)) for path in _origin_files(repository)]
        if not copied.server:
            pairs += [(share / name, copied.origin.parent / name) for name in _PROGRAMS if (share / name).is_file()]
        for path, target in pairs:
            if not target.is_file() or target.read_bytes() != path.read_bytes():
                files.write(target, path.read_bytes(), path.stat().st_mode & 0o777)

    processes.isolated(store, subject=copied.origin, deadline_s=120)


def _origin_files(folder: Path) -> list[Path]:
    return [folder / "config", *sorted(path for path in (folder / "keys").glob("*") if "-tmp-" not in path.name)]


def _put_origin_back(configuration: Configuration, copied: Configuration) -> None:
    """Make an empty repository with the id and the keys of the lost one; `config` last, which makes it one.

    Raises:
        RepositoryAbsentError: the copy lacks the files of the lost repository.
        BackupError: the folder of the repository holds data.
    """
    repository = configuration.repository

    def present() -> bool:
        return (copied.origin / "config").is_file()

    if not processes.isolated(present, subject=copied.origin):
        raise RepositoryAbsentError(
            copied.origin,
            found="no files of the lost repository",
            expected="its config and keys, which the last copy stored",
            next_step="Remove the recorded id from recorded/backup.yml, run the site playbook, and repeat the command",
        )

    def put() -> None:
        repository.mkdir(exist_ok=True, mode=0o700)
        for name in FOLDERS:
            (repository / name).mkdir(exist_ok=True, mode=0o700)
        for path in reversed(_origin_files(copied.origin)):
            files.write(repository / path.relative_to(copied.origin), path.read_bytes(), 0o600)

    processes.isolated(lambda: clear(configuration), subject=repository)
    processes.isolated(put, subject=repository)
