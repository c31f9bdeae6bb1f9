# SPDX-License-Identifier: GPL-3.0-or-later
"""Making the record of a source follow its files: new, changed, renamed, deleted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tars_app.adapters.mounts import FileStatus, ShareListing, ShareUnavailable, find_sources, fingerprint, walk
from tars_app.adapters.postgres import Pool
from tars_app.documents import repository
from tars_app.documents.model import FileObservation, KnownDocument
from tars_app.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Differences:
    """Paths whose file moved in size or time, paths without a document, and documents without a file."""

    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def compare(known: dict[str, KnownDocument], found: ShareListing) -> Differences:
    """What a complete walk says against the record. A document below an unreadable folder is not missing."""
    result = Differences()
    for path, file in sorted(found.files.items()):
        if path not in known:
            result.new.append(path)
        elif (known[path].size, known[path].mtime_ns) != (file.size, file.mtime_ns):
            result.changed.append(path)
    hidden = tuple(f"{folder}/" for folder in found.unreadable)
    result.missing = [path for path in sorted(known) if path not in found.files and not path.startswith(hidden)]
    return result


def reconcile(pool: Pool, settings: Settings, progress: Callable[[], None]) -> None:
    """Look once at every source. One that is away is recorded as away, and its documents stay.

    `progress` is called after each file that was read. Raises psycopg.Error.
    """
    known_roots = repository.source_roots(pool)
    try:
        present = find_sources(settings.documents)
    except ShareUnavailable as error:
        log.warning("The documents cannot be listed", extra={"fields": {"detail": str(error)}})
        present = {}
    for name in sorted(known_roots.keys() | present.keys()):
        root = present.get(name, known_roots.get(name))
        if root is None:
            continue
        try:
            found = walk(root, settings.require_mount)
            _apply(pool, settings, name, root, found, progress)
        except ShareUnavailable as error:
            log.warning("A source is away", extra={"fields": {"source": name, "detail": str(error)}})
            repository.note_source(pool, name, root, available=False, detail=str(error))


def _apply(
    pool: Pool, settings: Settings, source: str, root: Path, found: ShareListing, progress: Callable[[], None]
) -> None:
    # The root goes on record first: the worker reads documents as soon as they are recorded.
    repository.note_source(pool, source, root, available=True, detail=_unreadable_note(found))
    known = repository.living(pool, source)
    differences = compare(known, found)
    missing = {path: known[path] for path in differences.missing}
    unsettled: set[int] = set()
    for path in [*differences.changed, *differences.new]:
        look = _look(settings, root, path, found.files[path])
        progress()
        if look is None:
            unsettled.add(found.files[path].size)
            continue
        document = known.get(path)
        if document is None and (old := _same_content(missing, look)):
            del missing[old]
            log.info("Renamed", extra={"fields": {"document": known[old].document_id}})
            document = known[old]
            repository.rename(pool, document.document_id, path)
        repository.observe(pool, source, path, document.document_id if document else None, look)
    for gone in missing.values():
        if gone.size in unsettled:
            continue  # may turn out to be renamed, once the other file can be looked at
        log.info("Deleted", extra={"fields": {"document": gone.document_id}})
        repository.retire(pool, gone.document_id)


def _unreadable_note(found: ShareListing) -> str | None:
    if not found.unreadable:
        return None
    return f"{len(found.unreadable)} folders may not be read by this service, the first is {found.unreadable[0]}"


def _same_content(missing: dict[str, KnownDocument], look: FileObservation) -> str | None:
    return next((path for path, old in missing.items() if look.sha256 and old.sha256 == look.sha256), None)


def _look(settings: Settings, root: Path, path: str, file: FileStatus) -> FileObservation | None:
    """Read a file, or None where it is still being written and the next round has to look.

    Raises:
        ShareUnavailable: the file system does not answer.
    """
    age_s = time.time() - file.mtime_ns / 1e9
    if 0 <= age_s < settings.settle_s:
        return None
    if file.size == 0:
        return FileObservation(file, None, "The file is empty (0 bytes).")
    if file.size > settings.max_file_bytes:
        return FileObservation(
            file, None, f"The file has {file.size:,} bytes; files over {settings.max_file_bytes:,} bytes are not read."
        )
    try:
        read = fingerprint(root, path)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        return FileObservation(file, None, f"The file cannot be read: {error.strerror}.", settled=False)
    except OSError as error:
        raise ShareUnavailable(f"{path}: {error.strerror or error}") from error
    if read is None or read[0] != file:
        return None
    return FileObservation(file, read[1], None)


def wake_pending(pool: Pool, send: Callable[[UUID], None]) -> None:
    """Hand every version that waits and is not queued (or was so long ago that it got lost) to `send`."""
    for version_id in repository.waiting(pool):
        send(version_id)
        repository.note_queued(pool, version_id)
