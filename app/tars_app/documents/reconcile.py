# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the record of each share follow its files: new, changed, renamed, deleted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
)
from tars_app.adapters.postgres import Pool
from tars_app.documents import repository
from tars_app.documents.model import FileObservation, KnownDocument
from tars_app.kit.errors import UnavailableError, summarize
from tars_app.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Differences:
    """Paths whose file changed in size or time, paths without a document, and documents without a file."""

    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def compare(known: dict[str, KnownDocument], listing: ShareListing) -> Differences:
    """Compare the record with a listing. A document at or below an unreadable path does not count as missing."""
    result = Differences()
    for path, file in sorted(listing.files.items()):
        if path not in known:
            result.new.append(path)
        elif (known[path].size, known[path].mtime_ns) != (file.size, file.mtime_ns):
            result.changed.append(path)
    below = tuple(f"{path}/" for path in listing.unreadable)
    result.missing = [
        path
        for path in sorted(known)
        if path not in listing.files and path not in listing.unreadable and not path.startswith(below)
    ]
    return result


def reconcile(pool: Pool, settings: Settings, progress: Callable[[], None]) -> None:
    """Compare every share with its record once, and record the differences.

    A share that does not answer is recorded as unavailable, and its documents stay. A file or a share that fails is
    recorded with the reason and logged, and the others are read. `progress` is called after each folder and each file.

    Raises:
        UnavailableError: the database cannot be used.
    """
    known_roots = repository.source_roots(pool)
    present, problems = find_shares(settings.documents)
    for problem in problems:
        log.warning("A folder of documents cannot be read", extra={"fields": {"detail": problem}})
    for name, root in sorted((known_roots | present).items()):
        try:
            _ShareReconciler(pool, settings, name, root, progress).run()
        except ShareUnavailableError as error:
            log.warning("A share is unavailable", extra={"fields": {"source": name, "detail": str(error)}})
            repository.note_source(pool, name, root, available=False, detail=str(error))
        except UnavailableError:
            raise
        except Exception as error:
            log.exception("Reading a share failed", extra={"fields": {"source": name}})
            detail = f"reading it failed ({summarize(error)}); see the log of the worker container"
            repository.note_source(pool, name, root, available=False, detail=detail)


class _ShareReconciler:
    """One pass over one share."""

    def __init__(self, pool: Pool, settings: Settings, source: str, root: Path, progress: Callable[[], None]) -> None:
        self._pool = pool
        self._settings = settings
        self._source = source
        self._root = root
        self._progress = progress
        self._problems: dict[str, str] = {}
        self._missing: dict[str, KnownDocument] = {}
        self._unsettled_sizes: set[int] = set()

    def run(self) -> None:
        """Record the differences between the share and its record. Raises as `reconcile`."""
        listing = list_share(self._root, self._settings.require_mount, self._progress)
        self._problems |= listing.unreadable
        # The root goes on record first: the worker reads documents as soon as they are recorded.
        self._note()
        known = repository.living(self._pool, self._source)
        differences = compare(known, listing)
        self._missing = {path: known[path] for path in differences.missing}
        for path in [*differences.changed, *differences.new]:
            self._attempt(path, partial(self._follow, path, listing.files[path], known.get(path)))
            self._progress()
        for path, document in self._missing.items():
            # A missing document may turn out to be renamed, once the other file of its size can be read.
            if document.size not in self._unsettled_sizes:
                self._attempt(path, partial(self._retire, document))
        self._note()
        repository.note_scan(self._pool, self._source)

    def _attempt(self, path: str, action: Callable[[], None]) -> None:
        """Run an action on one file; a failure of that file alone is logged and noted."""
        try:
            action()
        except (ShareUnavailableError, UnavailableError):
            raise
        except Exception as error:
            fields = {"source": self._source, "path": path}
            log.exception("A file cannot be recorded", extra={"fields": fields})
            self._problems[path] = summarize(error)

    def _follow(self, path: str, file: FileStatus, document: KnownDocument | None) -> None:
        observation = observe_file(self._settings, self._root, path, file)
        if observation is None or (observation.error and not observation.settled):
            self._unsettled_sizes.add(file.size)
        if observation is None:
            return
        if observation.error:
            fields = {"source": self._source, "path": path, "reason": observation.error}
            log.warning("A file cannot be read", extra={"fields": fields})
        if document is None and (old := self._find_renamed(observation)):
            document = self._missing.pop(old)
            log.info("Renamed", extra={"fields": {"document": document.document_id}})
            repository.rename(self._pool, document.document_id, path)
        document_id = document.document_id if document else None
        try:
            repository.observe(self._pool, self._source, path, document_id, observation)
        except (ShareUnavailableError, UnavailableError):
            raise
        except Exception as error:
            refused = f"The file cannot be recorded: {summarize(error)}."
            failure = FileObservation(file, None, refused, settled=False)
            repository.observe(self._pool, self._source, path, document_id, failure)
            raise

    def _find_renamed(self, observation: FileObservation) -> str | None:
        """Return the path of the missing document that has the observed content."""
        if observation.sha256 is None:
            return None
        return next((path for path, old in self._missing.items() if old.sha256 == observation.sha256), None)

    def _retire(self, document: KnownDocument) -> None:
        log.info("Deleted", extra={"fields": {"document": document.document_id}})
        repository.retire(self._pool, document.document_id)

    def _note(self) -> None:
        detail = None
        if self._problems:
            path, why = min(self._problems.items())
            count = len(self._problems)
            rest = f", and {count - 1} more" if count > 1 else ""
            detail = f"cannot read {path} ({why}){rest}"
        repository.note_source(self._pool, self._source, self._root, available=True, detail=detail)


def observe_file(settings: Settings, root: Path, path: str, file: FileStatus) -> FileObservation | None:
    """Read a file; return None where it is still being written, or vanished, and the next pass has to read it.

    Raises:
        ShareUnavailableError: the share does not answer.
    """
    age_s = time.time() - file.mtime_ns / 1e9
    if 0 <= age_s < settings.settle_s:
        return None
    if file.size == 0:
        return FileObservation(file, None, "The file is empty (0 bytes).")
    if file.size > settings.max_file_bytes:
        error = f"The file has {file.size:,} bytes; files over {settings.max_file_bytes:,} bytes are not read."
        return FileObservation(file, None, error)
    try:
        result = fingerprint(root, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if not isinstance(error, PermissionError):
            require_answer(root, error)
        return FileObservation(file, None, f"The file cannot be read: {reason(error)}.", settled=False)
    if result is None or result[0] != file:
        return None
    return FileObservation(file, result[1], None)


def queue_waiting(pool: Pool, send: Callable[[UUID], None]) -> None:
    """Hand every version that waits and is not queued (or was queued too long ago) to `send`."""
    for version_id in repository.waiting(pool):
        send(version_id)
        repository.note_queued(pool, version_id)
