# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a backup: stage every component, save it as one snapshot, and prove it by reading it back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .. import catalog, destination, files, instants, manifest, processes, program_lock
from ..catalog import Catalog
from ..components import Component
from ..components.staged_backup import StagedBackup
from ..configuration import Configuration
from ..context import Context
from ..errors import BackupError, DestinationError, InterruptionError, LockedError, VerificationError
from ..manifest import Manifest, Mark, Part
from ..repository import locks, marks, packs, verification
from ..restic import HOST, TAG, Restic, Saved, Snapshot
from ..restoring import issuer, journal, switch
from ..state import State
from ..watching import condition
from . import prune

_ATTEMPTS = 50

_ALONE = "Run it again; no other program may change the staging folder"


@dataclass(frozen=True)
class Made:
    """The backup that was made or, if nothing has changed, the one that was confirmed."""

    id: str
    made_at: datetime
    content: str
    changed: bool
    dry_run: bool
    files: int
    bytes: int
    added: int
    components: Mapping[str, Part]
    warnings: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def code(self) -> int:
        """Return 3 if a dry run shows that a backup is needed."""
        return 3 if self.dry_run and self.changed else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        if self.dry_run:
            yield "a backup is needed" if self.changed else f"nothing has changed since {self.id}"
        elif self.changed:
            yield f"made {self.id}: {self.files} files, {self.bytes} bytes, {self.added} bytes added; read back"
        else:
            yield f"nothing has changed since {self.id}, which is confirmed"
        for name in self.removed:
            yield f"removed {name} by the retention rules"
        yield from self.warnings


def run(
    configuration: Configuration,
    components: Sequence[Component],
    open_context: Callable[[], Context],
    *,
    dry_run: bool,
    wait_s: float = 0,
) -> Made:
    """Make a backup unless the content equals the newest good one's; the outcome is recorded for the alarm of silence.

    A dry run stages the components and compares them, and does not write to the destination. It waits `wait_s`
    seconds for another command that is running.

    Raises:
        BackupError: no backup was made, or it could not be proven; the message has the first reason.
    """
    with program_lock.held(configuration.state, "run", wait_s=wait_s):
        state = State(configuration.state)
        noted: dict[str, Any] = {}
        try:
            context = open_context()
            recovered = journal.recover(context)
            if not dry_run:
                switch.remove_expired(issuer.all_replaceable(context.contract), instants.now())
            made = _Run(configuration, components, context, dry_run, noted).make()
        except Exception as error:
            if not dry_run:
                _record(state, noted, code=getattr(error, "code", BackupError.code), message=str(error))
            raise
        if not dry_run:
            _record(state, noted, code=0, message="")
        return replace(made, warnings=(recovered, *made.warnings)) if recovered else made


def _record(state: State, noted: Mapping[str, Any], *, code: int, message: str) -> None:
    """Record the outcome of a run; what it did not come to see stays as an earlier run saw it."""
    moment = instants.to_text(instants.now())
    last = state.read("run")
    good = code == 0
    state.write(
        "run",
        {
            **{key: last[key] for key in ("kept", "space") if key in last},
            **noted,
            "at": moment,
            "ok": good,
            "code": code,
            "message": message,
            "last_ok": moment if good else last.get("last_ok"),
            "failures": 0 if good else last.get("failures", 0) + 1,
            "failed_since": None if good else last.get("failed_since") or moment,
        },
    )


class _Run:
    """One run, under the program's lock."""

    def __init__(
        self,
        configuration: Configuration,
        components: Sequence[Component],
        context: Context,
        dry_run: bool,
        noted: dict[str, Any],
    ) -> None:
        self.configuration = configuration
        self.context = context
        self.dry_run = dry_run
        self.noted = noted
        self.restic = Restic(configuration)
        self.state = State(configuration.state)
        self.warnings: list[str] = []
        self.staged = StagedBackup(context, components)

    def make(self) -> Made:
        """Carry out the run."""
        if self.dry_run:
            destination.open_for_reading(self.configuration, self.restic)
        else:
            space = destination.open_for_writing(self.configuration, self.restic)
            self.noted["space"] = {**space._asdict(), "at": instants.to_text(instants.now())}
            self.warnings += locks.heal(self.configuration, self.restic, self.state, exclusive=False)
        moment = instants.now()
        # restic derives the key for each of its answers; meanwhile, the components are staged.
        with processes.alongside(
            lambda: catalog.read(self.configuration, self.restic, quick=True),
            subject=self.configuration.repository,
            deadline_s=self.context.deadline.remaining_s("list of the backups"),
        ) as read:
            self.staged.stage()
            backups = read()
        self._warn(backups)
        self._note_kept(backups)
        if not self.dry_run:
            self._note_history()
            backups = self._remove_unfinished(backups)
        parts = self.staged.checked(backups.newest.components if backups.newest else {})
        content = manifest.content_of(parts)
        newest = next(reversed(catalog.by_age(backups.good.values())), None)
        changed = newest is None or newest.content != content
        if self.dry_run:
            return self._made(newest.id if newest else "", moment, content, parts, changed=changed)
        saved = Saved("", 0, 0, 0)
        if newest is None or changed:
            newest, saved = self._save(self._free_moment(moment, backups), parts, content, backups)
            moment = newest.made_at
            snapshot = Snapshot(saved.snapshot, "", (TAG, f"id={newest.id}"), HOST)
            backups = dataclasses.replace(
                backups,
                good={**backups.good, newest.id: newest},
                snapshots={**backups.snapshots, newest.id: snapshot},
            )
        record = {**manifest.mark_document(newest), "confirmed_at": instants.to_text(moment)}
        self.state.write("last_good", {**record, "repository": self.configuration.repository_id})
        self._write_last_good(newest, moment)
        self._note_kept(backups)
        verification.read_daily_share(self.configuration, moment, self.context.deadline)
        progress = self.context.progress
        removed = prune.carry_out(self.configuration, self.restic, backups, progress, now=False).removed
        self._note_kept(backups, removed)
        return self._made(newest.id, newest.made_at, content, parts, changed=changed, saved=saved, removed=removed)

    def _made(
        self,
        name: str,
        made_at: datetime,
        content: str,
        parts: Mapping[str, Part],
        *,
        changed: bool,
        saved: Saved = Saved("", 0, 0, 0),  # noqa: B008  frozen
        removed: tuple[str, ...] = (),
    ) -> Made:
        return Made(
            id=name,
            made_at=made_at,
            content=content,
            changed=changed,
            dry_run=self.dry_run,
            files=saved.files,
            bytes=saved.bytes,
            added=saved.added,
            components=parts,
            warnings=tuple(self.warnings),
            removed=removed,
        )

    def _free_moment(self, moment: datetime, backups: Catalog) -> datetime:
        """Return a moment; if a backup has its second, wait for the next one, so that their order is known."""
        taken = {mark.made_at for mark in backups.good.values()}
        end = time.monotonic() + 1
        while moment in taken and time.monotonic() < end:
            time.sleep(0.05)
            moment = instants.now()
        return moment

    def _remove_unfinished(self, backups: Catalog) -> Catalog:
        """Remove the snapshots of runs that failed: what they stored may be damaged, and restic would use it again."""
        try:
            return prune.remove_unfinished(self.configuration, self.restic, backups, self.context.progress)
        except LockedError as error:
            self.warnings.append(str(error))
            return backups

    def _note_history(self) -> None:
        """Remember when the backups of another repository ended, if the last good one is there."""
        last = self.state.read("last_good")
        if last.get("repository") not in (None, self.configuration.repository_id):
            self.state.write("history", {"began": instants.to_text(instants.now()), "ended": last["confirmed_at"]})
            # What was found wrong concerns that one.
            for subject in ("verified", "share"):
                self.state.write(subject, {})

    def _warn(self, backups: Catalog) -> None:
        """Name what a person should know about the repository."""
        self.warnings += [f"backup {name} is MISSING: its snapshot was deleted" for name in backups.missing]
        self.warnings += [f"snapshot {name} was never finished" for name in backups.unfinished]
        self.warnings += [
            f"foreign snapshot {snapshot.id[:8]} of {snapshot.hostname} is left alone" for snapshot in backups.foreign
        ]
        self.warnings += backups.problems
        newest = max((mark.made_at for mark in backups.good.values()), default=None)
        if newest and newest > instants.now():
            self.warnings.append(f"the newest backup is dated {instants.to_text(newest)}, later than this clock")

    def _note_kept(self, backups: Catalog, removed: Sequence[str] = ()) -> None:
        """Remember what is kept, for the record of the run."""
        dates = [mark.made_at for mark in backups.good.values() if mark.id not in removed]
        self.noted["kept"] = {
            "at": instants.to_text(instants.now()),
            "count": len(dates),
            "oldest": instants.to_text(min(dates)) if dates else None,
            "made": [instants.to_text(date) for date in sorted(dates)],
            "missing": len(backups.missing),
        }

    def _write_last_good(self, newest: Mark, confirmed_at: datetime) -> None:
        """Show others the time of the last good backup. Failing that, they see its age, which is its purpose."""
        try:
            condition.write_last_good(self.configuration, newest, confirmed_at)
        except BackupError as error:
            self.warnings.append(str(error))

    def _save(self, made_at: datetime, parts: Mapping[str, Part], content: str, backups: Catalog) -> tuple[Mark, Saved]:
        """Make a snapshot, prove it, and mark it as good."""
        name = manifest.new_id(made_at)
        document = Manifest(
            id=name,
            made_at=made_at,
            host=self.configuration.host,
            versions={
                "tars": self.context.contract.version,
                "application": str(self.context.contract.application.get("version", "")),
                "restic": self.restic.version(),
            },
            components=parts,
            content=content,
            living=tuple(sorted(backups.good.values(), key=lambda mark: (mark.made_at, mark.id))),
        )
        encoded = document.encoded()
        files.write(self.configuration.staging / manifest.NAME, encoded)
        # What prune may remove if this run is killed.
        attempts = [*self.state.read("attempts").get("ids", ()), name]
        self.state.write("attempts", {"ids": attempts[-_ATTEMPTS:]})
        before = packs.sizes(self.configuration.repository)
        self.context.progress("saving the snapshot")
        limit_s = self.context.deadline.remaining_s("restic backup")
        saved = self.restic.backup(self.configuration.staging, name, made_at, deadline_s=limit_s)
        expected = (
            sum(part.files for part in parts.values()) + 1,
            sum(part.bytes for part in parts.values()) + len(encoded),
        )
        if (saved.files, saved.bytes) != expected:
            raise BackupError(
                "restic backup",
                found=f"{saved.files} files with {saved.bytes} bytes in the snapshot",
                expected=f"{expected[0]} files with {expected[1]} bytes, as staged",
                next_step=_ALONE,
            )
        # restic's numbers leave out links, and other bytes of the same number.
        altered = self.staged.altered()
        if altered:
            raise BackupError(
                "staging",
                found=f"files that changed during the run: {', '.join(altered[:5])}",
                expected="the files that were staged",
                next_step=_ALONE,
            )
        self.context.progress("reading the snapshot back")
        self._prove(saved, encoded, before)
        mark = Mark(name, made_at, content, manifest.sha256(encoded))
        marks.write(self.configuration.good, mark)
        self.state.write("attempts", {"ids": attempts[:-1][-_ATTEMPTS:]})
        return mark, saved

    def _prove(self, saved: Saved, encoded: bytes, before: Mapping[str, int]) -> None:
        """Check the repository, and read back what this run added.

        Raises:
            VerificationError: something differs.
        """
        limit_s = self.context.deadline.remaining_s("restic check")
        with (
            self.restic.checking(deadline_s=limit_s),
            processes.alongside(
                lambda: self._stored_manifest(saved.snapshot), subject=manifest.NAME, deadline_s=limit_s
            ) as stored_manifest,
        ):
            after = packs.sizes(self.configuration.repository)
            unproven = packs.unproven(self.configuration.repository, self.configuration.good)
            added = {name: size for name, size in after.items() if name not in before or name in unproven}
            problems = packs.damaged(self.configuration.repository, added, self.context.deadline)
            stored = b"" if problems else stored_manifest()
        if f"snapshots/{saved.snapshot}" not in added:
            problems.append(f"snapshots/{saved.snapshot}: not in the repository")
        elif not problems and stored != encoded:
            problems.append(f"{saved.snapshot}: its manifest differs from the one that was saved")
        if problems:
            raise VerificationError(
                self.configuration.repository,
                found="; ".join(problems),
                expected="the bytes that were saved",
                next_step="Run tars-backup verify --data, and check the disks of the NAS",
            )

    def _stored_manifest(self, snapshot: str) -> bytes:
        """Return the manifest in a snapshot; empty if it cannot be read, the reason of which the check reports."""
        try:
            return self.restic.dump(snapshot, manifest.NAME)
        except (DestinationError, InterruptionError):
            raise
        except BackupError:
            return b""
