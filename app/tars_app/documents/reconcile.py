# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the record of each share follow its files: new, changed, renamed, moved from another share, deleted."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from tars_app.adapters.mounts import (
    FileStatus,
    ShareListing,
    ShareUnavailableError,
    find_shares,
    fingerprint,
    list_share,
    reason,
    require_answer,
    status_of,
)
from tars_app.adapters.postgres import Pool
from tars_app.documents import file_checks, repository, tombstones
from tars_app.documents.entries import FOUND, UNREADABLE, WRITING, note_entries
from tars_app.documents.model import FileObservation, KnownDocument
from tars_app.documents.moves import Moves, MovesToShare
from tars_app.kit.errors import UnavailableError, summarize
from tars_app.settings import Settings

log = logging.getLogger(__name__)

RECENT_S = 60.0
"""A file that was changed less than this ago may still be being written."""
SLICE_S = 60.0
"""Reading new files of a share is interrupted after this, so that what was added meanwhile is noticed."""
CHECK_SLICE_S = 5.0
_WAIT_S = 0.2
FAST_QUEUED, SLOW_QUEUED = 200, 8
"""Most versions in the queue: few enough that what is added later need not wait for them."""


@dataclass
class Differences:
    """What differs between a share and its record, as paths.

    Attributes:
        changed: files whose size or modification time differ.
        new: files without a document.
        missing: documents without a file.
        touched: files whose change time alone differs: their content may, or only their owner or permissions.
    """

    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)


def compare(known: dict[str, KnownDocument], listing: ShareListing) -> Differences:
    """Compare the record with a listing. A document at or below an unreadable path does not count as missing."""
    result = Differences()
    for path, file in sorted(listing.files.items()):
        document = known.get(path)
        if document is None:
            result.new.append(path)
        elif (document.size, document.mtime_ns) != (file.size, file.mtime_ns):
            result.changed.append(path)
        elif document.ctime_ns not in (None, file.ctime_ns):
            result.touched.append(path)
    below = tuple(f"{path}/" for path in listing.unreadable)
    result.missing = [
        path
        for path in sorted(known)
        if path not in listing.files and path not in listing.unreadable and not path.startswith(below)
    ]
    return result


def reconcile(
    pool: Pool, settings: Settings, progress: Callable[[], None], unfinished: dict[str, datetime] | None = None
) -> bool:
    """Compare every share with its record once, and record the differences; return whether none is left.

    A share that does not answer is recorded as unavailable, and its documents stay. A file or a share that fails is
    recorded with the reason and logged, and the others are read. `progress` is called after each folder and each file.
    After `SLICE_S`, the rest of a share's new files is left to the next call, so that what is added to it meanwhile is
    noticed. `unfinished` then has the share, with the time at which its first slice began.

    Documents whose files are gone are retired after all shares were read: the files may have been moved to another one.

    Raises:
        UnavailableError: the database cannot be used.
    """
    unfinished = {} if unfinished is None else unfinished
    known_roots = repository.source_roots(pool)
    present, problems = find_shares(settings.documents)
    for problem in problems:
        log.warning("A folder of documents cannot be read", extra={"fields": {"detail": problem}})
    moves = Moves(dict(sorted((known_roots | present).items())), settings.require_mount)
    followed: list[_ShareReconciler] = []
    for name, root in moves.roots.items():
        began = unfinished.pop(name, datetime.now(UTC))
        share = _ShareReconciler(pool, settings, name, root, progress, moves)
        if _attempt_share(pool, name, root, partial(share.follow, began)):
            followed.append(share)
            if share.is_interrupted:
                unfinished[name] = began
    for share in followed:
        if not _attempt_share(pool, share.source, share.root, share.finish):
            unfinished.pop(share.source, None)
    return not unfinished


def _attempt_share(pool: Pool, name: str, root: Path, action: Callable[[], None]) -> bool:
    """Run an action on one share; return whether it succeeded. A failure is logged and recorded."""
    try:
        action()
    except ShareUnavailableError as error:
        log.warning("A share is unavailable", extra={"fields": {"source": name, "detail": str(error)}})
        repository.note_source(pool, name, root, available=False, detail=str(error))
    except UnavailableError:
        raise
    except Exception as error:  # a fault of one share: the others go on
        log.exception("Reading a share failed", extra={"fields": {"source": name}})
        detail = f"reading it failed ({summarize(error)}); see the log of the worker container"
        repository.note_source(pool, name, root, available=False, detail=detail)
    else:
        return True
    return False


class _ShareReconciler:
    """One pass over one share: `follow` its files, and `finish` after all shares were followed."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        source: str,
        root: Path,
        progress: Callable[[], None],
        moves: Moves,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self.source = source
        self.root = root
        self._progress = progress
        self._moves = moves
        self._moved_here: MovesToShare | None = None
        self._began = datetime.now(UTC)
        self._problems: dict[str, str] = {}
        self._missing: dict[str, KnownDocument] = {}
        self._missing_contents: dict[str, list[str]] = {}
        self._unsettled_sizes: set[int] = set()
        self._skipped: tombstones.Skipped = {}
        self.is_interrupted = False
        self._left: dict[str, str] = {}
        """New files that are not on record yet, and why."""

    def follow(self, began: datetime) -> None:
        """Record which files are new or have changed. Raises as `reconcile`, and ShareUnavailableError.

        `began` is the time at which the first slice of this comparison began.
        """
        self._began = began
        listing = list_share(self.root, self._settings.require_mount, self._progress)
        listed_at = time.monotonic()
        self._problems |= listing.unreadable
        # The root goes on record first: the worker reads documents as soon as they are recorded.
        self._note()
        self._skipped = tombstones.skipped_files(self._pool)
        known = repository.living(self._pool, self.source)
        self._progress()
        differences = compare(known, listing)
        self._missing = {path: known[path] for path in differences.missing}
        for path, document in self._missing.items():
            if document.sha256:
                self._missing_contents.setdefault(document.sha256, []).append(path)
        self._left = {path: FOUND for path in differences.new if not self._is_skipped(path, listing.files[path])}
        self._moved_here = self._moves.to_share(
            self._pool, self.source, sorted({listing.files[path].size for path in self._left})
        )
        self._progress()
        if self._left:
            self._note_entries(listing)
            self._progress()
        self._follow_all([*differences.changed, *self._left], listing, known, listed_at)
        self._check(differences, listing, known)
        self._progress()
        self._note_entries(listing)
        self._moved_here = None  # what it read takes memory until all shares are finished

    def finish(self) -> None:
        """Record which documents are gone, and that the share was read. Raises as `follow`."""
        self._retire_missing()
        self._note()
        if not self.is_interrupted:
            unwatched_after = max(repository.UNWATCHED_AFTER, 3 * timedelta(seconds=self._settings.scan_interval_s))
            repository.note_scan(self._pool, self.source, self._began, unwatched_after)

    def _follow_all(
        self, paths: list[str], listing: ShareListing, known: dict[str, KnownDocument], listed_at: float
    ) -> None:
        """Read files that are new or changed, until the slice ends."""
        ends = time.monotonic() + SLICE_S
        for path in _in_order(paths, listing.files, listed_at + self._settings.settle_s, self._progress):
            if time.monotonic() >= ends:
                self._note_unsettled(path, listing.files[path])
                self.is_interrupted = True
                continue
            self._attempt(path, partial(self._follow, path, listing.files[path], known.get(path)))
            self._progress()

    def _retire_missing(self) -> None:
        for path, document in self._missing.items():
            # A missing document may turn out to be renamed or moved, once the other file of its size can be read.
            unsettled = document.size in self._unsettled_sizes or document.size in self._moves.unsettled_sizes
            if not unsettled and document.document_id not in self._moves.moved:
                self._attempt(path, partial(self._retire, document))
                self._progress()
        if self._missing:
            file_checks.drop_deleted(self._pool)

    def _check(self, differences: Differences, listing: ShareListing, known: dict[str, KnownDocument]) -> None:
        """Read files again whose content may differ though size and modification time do not; `CHECK_SLICE_S` long."""
        changed = set(differences.changed)
        unknown = {
            document.document_id: listing.files[path].ctime_ns
            for path, document in known.items()
            if document.ctime_ns is None and path in listing.files and path not in changed
        }
        if unknown:
            file_checks.trust(self._pool, unknown)
        due = [path for path in file_checks.due(self._pool, self.source) if path in listing.files and path in known]
        ends = time.monotonic() + CHECK_SLICE_S
        for path in dict.fromkeys([*differences.touched, *due]):
            if time.monotonic() >= ends:
                break
            self._attempt(path, partial(self._follow, path, listing.files[path], known[path]))
            self._progress()

    def _attempt(self, path: str, action: Callable[[], None]) -> None:
        """Run an action on one file; a failure of that file alone is logged and noted."""
        try:
            action()
        except (ShareUnavailableError, UnavailableError):
            raise
        except Exception as error:
            fields = {"source": self.source, "path": path}
            log.exception("A file cannot be recorded", extra={"fields": fields})
            self._problems[path] = summarize(error)

    def _follow(self, path: str, file: FileStatus, document: KnownDocument | None) -> None:
        observation = read_observation(self._settings, self.root, path, file)
        if observation is None or (observation.error and not observation.settled):
            self._note_unsettled(path, file)
        if observation is None:
            if path in self._left:
                self._left[path] = WRITING
            return
        if observation.error:
            fields = {"source": self.source, "path": path, "reason": observation.error}
            log.warning("A file cannot be read", extra={"fields": fields})
        if document is None and (old := self._find_renamed(observation)):
            document = self._missing.pop(old)
            log.info("Renamed", extra={"fields": {"document": document.document_id}})
            repository.rename(self._pool, document.document_id, path)
        document_id = document.document_id if document else None
        if document is None and self._moved_here:
            document_id = self._moved_here.take(path, observation.sha256)
            if not document_id and _is_recent(file, time.time()) and self._moved_here.is_copy(observation.sha256):
                # It may be the first half of a move: the original is still there, but not for long.
                self._note_unsettled(path, file)
                self._left[path] = WRITING
                return
        try:
            repository.observe(self._pool, self.source, path, document_id, observation)
            self._left.pop(path, None)
        except (ShareUnavailableError, UnavailableError):
            raise
        except Exception as error:
            refused = f"The file cannot be recorded: {summarize(error)}."
            failure = FileObservation(file, None, refused, settled=False)
            repository.observe(self._pool, self.source, path, document_id, failure)
            self._left.pop(path, None)
            raise

    def _note_unsettled(self, path: str, file: FileStatus) -> None:
        """Note a file that could not be read: a document that is missing may be that one, in other shares if it is new.

        A file that stays unreadable is new only once, so that it does not keep the documents of other shares for ever.
        """
        self._unsettled_sizes.add(file.size)
        if path in self._left:
            self._moves.unsettled_sizes.add(file.size)

    def _is_skipped(self, path: str, file: FileStatus) -> bool:
        """Return whether the file was not read last time, as its content was forgotten, and has not changed since."""
        return self._skipped.get(tombstones.place_of(self.source, path)) == (file.size, file.mtime_ns)

    def _find_renamed(self, observation: FileObservation) -> str | None:
        """Return the path of the missing document that has the observed content."""
        paths = self._missing_contents.get(observation.sha256 or "", [])
        return next((path for path in paths if path in self._missing), None)

    def _retire(self, document: KnownDocument) -> None:
        log.info("Deleted", extra={"fields": {"document": document.document_id}})
        repository.retire(self._pool, document.document_id)

    def _note_entries(self, listing: ShareListing) -> None:
        """Record what is not read, and why."""
        entries: dict[str, tuple[str, str | None]] = {path: (why, None) for path, why in listing.ignored.items()}
        entries |= {path: (UNREADABLE, why) for path, why in listing.unreadable.items()}
        entries |= {path: (why, None) for path, why in self._left.items()}
        note_entries(self._pool, self.source, entries, listing.more_ignored)

    def _note(self) -> None:
        detail = None
        if self._problems:
            path, why = min(self._problems.items())
            count = len(self._problems)
            rest = f", and {count - 1} more" if count > 1 else ""
            detail = f"cannot read {path} ({why}){rest}"
        repository.note_source(self._pool, self.source, self.root, available=True, detail=detail)


def _in_order(
    paths: list[str], files: Mapping[str, FileStatus], settled_at: float, progress: Callable[[], None]
) -> Iterator[str]:
    """Yield the paths, small files first. Files that were changed just now follow from a time on (time.monotonic).

    One that is still being written has changed again by then, and is left for the next pass. `progress` is called while
    only such files are left.
    """
    ordered = sorted(paths, key=lambda path: files[path].size)
    recent = deque(path for path in ordered if _is_recent(files[path], time.time()))
    waiting = set(recent)
    for path in ordered:
        while recent and time.monotonic() >= settled_at:
            yield recent.popleft()
        if path not in waiting:
            yield path
    while recent and (left_s := settled_at - time.monotonic()) > 0:
        time.sleep(min(left_s, _WAIT_S))
        progress()
    yield from recent


def _is_recent(file: FileStatus, now: float) -> bool:
    """Return whether a file was changed just now, by the clock of the NAS, which may be a little wrong."""
    return any(abs(now - moment / 1e9) < RECENT_S for moment in (file.mtime_ns, file.ctime_ns))


def read_observation(settings: Settings, root: Path, path: str, file: FileStatus) -> FileObservation | None:
    """Read a file that nobody is writing; return None where it vanished, or is another one than its status states.

    Raises:
        ShareUnavailableError: the folder `root` does not answer.
    """
    refused = None
    if file.size == 0:
        refused = "The file is empty (0 bytes)."
    elif file.size > settings.max_file_bytes:
        refused = f"The file has {file.size:,} bytes; files over {settings.max_file_bytes:,} bytes are not read."
    try:
        result = (status_of(root, path), None) if refused else fingerprint(root, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if not isinstance(error, PermissionError):
            require_answer(root, error)
        return FileObservation(file, None, f"The file cannot be read: {reason(error)}.", settled=False)
    if result is None or (result[0], result[0].ctime_ns) != (file, file.ctime_ns):
        return None
    return FileObservation(file, result[1], refused)


def queue_waiting(pool: Pool, send: Callable[[UUID], None], send_slow: Callable[[UUID], None]) -> None:
    """Hand versions that wait and are not queued (or were queued too long ago) to `send`, until the queue is full."""
    for slow, hand_over, most in ((False, send, FAST_QUEUED), (True, send_slow, SLOW_QUEUED)):
        free = most - repository.count_queued(pool, slow)
        if 2 * free < most:  # so that the best ones are not looked for again for each document
            continue
        versions = repository.waiting(pool, slow, free)
        repository.note_queued(pool, versions)  # first, as they may be read at once
        for number, version_id in enumerate(versions):
            try:
                hand_over(version_id)
            except Exception:
                repository.note_not_queued(pool, versions[number:])
                raise
