# SPDX-License-Identifier: GPL-3.0-or-later
"""Import earlier versions of documents from the snapshots that the NAS shows in a share.

A snapshot is an observation of the whole share at its time. It is imported if the share was not being scanned then:
before the first scan, or while the worker was off. The latest snapshots come first, so that the history is complete
from its begin to now at every moment of an import.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from tars_app.adapters.mounts import (
    FileStatus,
    ShareUnavailableError,
    list_share,
    mount_of_share,
    reason,
)
from tars_app.adapters.postgres import Pool
from tars_app.documents.model import plausible_time
from tars_app.documents.reconcile import read_observation
from tars_app.documents.repository import note_queued, source_roots
from tars_app.kit.instants import years_before
from tars_app.settings import Settings
from tars_app.snapshots import repository
from tars_app.snapshots.names import FOLDER, time_of
from tars_app.snapshots.record import Content, Record
from tars_app.snapshots.repository import IMPORTED, Period, Snapshot

log = logging.getLogger(__name__)

SLICE_S = 30.0
"""The import of a share is interrupted after this, so that the shares are scanned meanwhile."""
BATCH = 25
"""Snapshots that are read between two transactions."""
MAX_SKEW = timedelta(minutes=1)
"""Difference of the clocks of NAS and desktop that is not noticed."""
WRONG_TIME = timedelta(minutes=15)
"""A snapshot with files that were written so much later than its time was not taken at that time."""
QUEUE_LENGTH = 100
"""Versions of the past that are in the queue at the same time."""

_NO_TIME = datetime.min.replace(tzinfo=UTC)
_OPEN = ("waiting", "unreadable")
"""States of snapshots that are tried to be imported in each pass."""
_LOST = (*_OPEN, "gone")
"""States of snapshots that are missed when the NAS deletes them."""
_SETTLED = (IMPORTED, "unreadable", "wrong time")
"""States that do not follow from the name of a snapshot."""


class UnreadableSnapshotError(Exception):
    """The snapshot cannot be imported; the message states why."""

    state = "unreadable"


class WrongTimeError(UnreadableSnapshotError):
    """The snapshot was not taken at the time in its name."""

    state = "wrong time"


class SnapshotGoneError(UnreadableSnapshotError):
    """The snapshot was deleted."""

    state = "gone"


def import_snapshots(pool: Pool, settings: Settings, progress: Callable[[], None]) -> None:
    """Import snapshots of each share for `SLICE_S`, as long as no document of the shares waits to be read.

    `progress` is called after each folder and each file.

    Raises:
        UnavailableError: the database cannot be used. What was imported before is kept.
    """
    roots = source_roots(pool)
    for source in settings.history_shares:
        if source in roots and not repository.live_work_waits(pool):
            try:
                _ShareImport(pool, settings, source, roots[source], progress).run()
            except ShareUnavailableError as error:
                log.warning("Snapshots are imported later", extra={"fields": {"source": source, "reason": str(error)}})


def queue_earlier(pool: Pool, send: Callable[[UUID], None]) -> None:
    """Hand versions that wait to be read from snapshots to `send`, unless documents of the shares wait."""
    if not repository.live_work_waits(pool):
        for version_id in repository.waiting_earlier(pool, QUEUE_LENGTH):
            send(version_id)
            note_queued(pool, [version_id])


def classify(
    names: set[str],
    known: dict[str, Snapshot],
    unwatched: list[Period],
    now: datetime,
    settings: Settings,
    kept_since: datetime | None = None,
) -> list[Snapshot]:
    """Return the snapshots of a share with the states that follow from their names and the record, the latest first.

    `kept_since` is the time before which versions were removed, None if none was.
    """
    kept = years_before(now, settings.versions_years) if settings.versions_years else kept_since
    oldest = max(filter(None, (now - timedelta(days=settings.history_days), kept, kept_since)))
    zone = ZoneInfo(settings.time_zone)
    result = []
    for name in names | set(known):
        before = known.get(name)
        if name not in names:
            if before and before.state in _LOST:
                result.append(replace(before, state="gone", detail="The NAS deleted it before it was imported."))
            elif before and before.state == IMPORTED:
                result.append(before)
            continue
        if before and before.state in _SETTLED:
            result.append(before)
            continue
        taken = time_of(name, zone)
        if taken is None:
            state, detail = "no time", "The name of this folder is not that of a snapshot."
        elif taken > now + MAX_SKEW:
            state, detail = "ahead", "Its time is in the future: the clock of the NAS or the zone in its name is wrong."
        elif taken < oldest:
            state, detail = "old", f"It is older than {(now - oldest).days} days."
        elif _period_of(taken, unwatched) is None:
            state, detail = "watched", "The share was being scanned at that time."
        else:
            state, detail = "waiting", None
        result.append(Snapshot(name, taken, state, detail))
    return sorted(result, key=lambda snapshot: (snapshot.taken or _NO_TIME, snapshot.name), reverse=True)


def _period_of(taken: datetime, unwatched: list[Period]) -> Period | None:
    for period in unwatched:
        if taken < period.until and (period.since is None or period.since + MAX_SKEW <= taken):
            return period
    return None


@dataclass(frozen=True)
class _Listing:
    """What a snapshot contains; `unreadable` are the paths of entries that cannot be listed.

    `forgotten` are files of documents that were forgotten. Of a copy that was not, what is on record stays.
    """

    files: dict[str, Content]
    unreadable: dict[str, str]
    forgotten: frozenset[str] = frozenset()

    def is_unknown(self, path: str) -> bool:
        return path in self.forgotten or any(path == place or path.startswith(f"{place}/") for place in self.unreadable)


class _ShareImport:
    """One slice of the import of a share."""

    def __init__(self, pool: Pool, settings: Settings, source: str, root: Path, progress: Callable[[], None]) -> None:
        self._pool = pool
        self._settings = settings
        self._source = source
        self._root = root
        self._progress = progress
        self._ends = time.monotonic() + SLICE_S
        self._seen: dict[str, tuple[FileStatus, Content]] = {}
        """The files of the snapshot that was read last."""
        self._known: dict[str, list[Content]] = {}
        """The contents on record before this batch, by path."""

    def run(self) -> None:
        """Import the latest of the snapshots that wait. Raises as `import_snapshots`, and ShareUnavailableError."""
        mount = mount_of_share(self._root, self._settings.require_mount)
        known = repository.known_snapshots(self._pool, self._source)
        periods = repository.unwatched(self._pool, self._source)
        kept_since = repository.kept_since(self._pool)
        snapshots = classify(self._names(), known, periods, datetime.now(UTC), self._settings, kept_since)
        if mount_of_share(self._root, self._settings.require_mount) != mount:
            raise ShareUnavailableError(f"{self._root} was mounted again while its snapshots were being listed")
        repository.note_snapshots(self._pool, self._source, snapshots)
        waiting = [snapshot for snapshot in snapshots if snapshot.state in _OPEN]
        for start in range(0, len(waiting), BATCH):
            if not self._import(waiting[start : start + BATCH], periods, mount):
                break

    def _names(self) -> set[str]:
        """Return the names of the snapshots that the NAS shows; none where it shows no folder of snapshots."""
        try:
            with os.scandir(self._root / FOLDER) as entries:
                return {entry.name for entry in entries if entry.name.isprintable() and _is_folder(entry)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise ShareUnavailableError(f"{self._root / FOLDER}: {reason(error)}") from error

    def _import(self, batch: list[Snapshot], periods: list[Period], mount: str | None) -> bool:
        """Import snapshots in one transaction; return whether there is time for more."""
        record = repository.load_record(self._pool, self._source)
        self._known = _contents(record)
        outcome = []
        time_left = True
        for snapshot in batch:
            outcome.append(self._add(record, snapshot, periods))
            self._progress()
            time_left = time.monotonic() < self._ends and not repository.live_work_waits(self._pool)
            if not time_left:
                break
        # The folder of a NAS that went away meanwhile is empty, as if everything had been deleted.
        if mount_of_share(self._root, self._settings.require_mount) != mount:
            raise ShareUnavailableError(f"{self._root} was mounted again while its snapshots were being read")
        if not repository.save_record(self._pool, self._source, record, outcome):
            return False  # the next pass does it
        if imported := [snapshot.name for snapshot in outcome if snapshot.state == IMPORTED]:
            fields = {"source": self._source, "snapshots": len(imported), "back_to": imported[-1]}
            log.info("Snapshots imported", extra={"fields": fields})
        return time_left

    def _add(self, record: Record, snapshot: Snapshot, periods: list[Period]) -> Snapshot:
        """Add a snapshot to the record; return it with the resulting state."""
        period = _period_of(snapshot.taken, periods) if snapshot.taken else None
        if snapshot.taken is None or period is None:
            return snapshot
        taken = snapshot.taken
        while record.has_event_at(taken):
            taken += timedelta(microseconds=1)
        end = min((moment for moment in record.snapshots if taken < moment < period.until), default=period.until)
        try:
            listing = self._read(snapshot.name, taken)
        except UnreadableSnapshotError as error:
            tried = replace(snapshot, state=error.state, detail=str(error))
            if tried != snapshot:
                fields = {"source": self._source, "snapshot": snapshot.name, "reason": str(error)}
                log.warning("A snapshot is not imported", extra={"fields": fields})
            return tried
        listing = self._without_forgotten(listing, record, taken)
        record.observe(taken, end, snapshot.name, listing.files, listing.is_unknown)
        detail = None
        if listing.unreadable:
            path, why = min(listing.unreadable.items())
            rest = f", and {len(listing.unreadable) - 1} more" if len(listing.unreadable) > 1 else ""
            detail = f"cannot read {path} ({why}){rest}"
        return Snapshot(snapshot.name, taken, IMPORTED, detail)

    def _without_forgotten(self, listing: _Listing, record: Record, taken: datetime) -> _Listing:
        forgotten = frozenset(
            path
            for path, content in listing.files.items()
            if record.forgotten.covers(self._source, path, content.sha256, taken)
        )
        files = {path: content for path, content in listing.files.items() if path not in forgotten}
        return replace(listing, files=files, forgotten=forgotten)

    def _read(self, name: str, taken: datetime) -> _Listing:
        """Return what a snapshot contains. Raises UnreadableSnapshotError."""
        folder = self._root / FOLDER / name
        try:
            listing = list_share(folder, require_mount=False, progress=self._progress)
            self._check_time(listing.files, taken)
            seen = {}
            for path, file in listing.files.items():
                seen[path] = (file, self._content(folder, path, file, taken))
                self._progress()
        except (ShareUnavailableError, OSError) as error:
            if _is_gone(folder):
                raise SnapshotGoneError("The NAS deleted it while it was being read.") from error
            raise UnreadableSnapshotError(str(error)) from error
        self._seen = seen
        return _Listing({path: content for path, (_, content) in seen.items()}, listing.unreadable)

    def _content(self, folder: Path, path: str, file: FileStatus, taken: datetime) -> Content:
        """Return the content of a file, without reading it where size and time are those of a content on record."""
        if path in self._seen and self._seen[path][0] == file:
            return self._seen[path][1]
        modified, note = plausible_time(file.mtime_ns, taken)
        for content in self._known.get(path, []):
            if not note and content.sha256 and (content.size, content.modified) == (file.size, modified):
                return content
        observation = read_observation(self._settings, folder, path, file)
        if observation is None:
            raise FileNotFoundError(path)
        return Content(observation.sha256, observation.error, file.size, modified, note)

    def _check_time(self, files: dict[str, FileStatus], taken: datetime) -> None:
        """Raise WrongTimeError if a file was written after the snapshot was taken.

        Both its modification time, which clients can set, and its change time, which copying sets, have to be later.
        """
        latest = int((taken + WRONG_TIME).timestamp() * 10**9)
        for path, file in files.items():
            if min(file.mtime_ns, file.ctime_ns) > latest:
                moment = datetime.fromtimestamp(file.mtime_ns // 10**9, UTC)
                raise WrongTimeError(
                    f"It contains {path}, which was written on {moment:%Y-%m-%d %H:%M} UTC: the clock of the NAS was "
                    "wrong, or the zone in its name is."
                )


def _is_gone(folder: Path) -> bool:
    try:
        os.lstat(folder)
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return True  # reading it reports the reason


def _contents(record: Record) -> dict[str, list[Content]]:
    """Return the contents on record by path, the latest first."""
    result: dict[str, list[Content]] = {}
    for document in record.documents:
        for path in {document.path, *(entry.path for entry in document.paths)}:
            result.setdefault(path, []).extend(version.content for version in reversed(document.versions))
    return result
