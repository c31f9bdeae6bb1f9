# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of this folder: a document on record, the observation of a file, and a version to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from tars_app.adapters.mounts import FileStatus

NO_PAGE = 0
"""The number of the section of a text that has one part without a place."""
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""No file system in use records an earlier time, and every store and browser can show it."""
MAX_CLOCK_SKEW = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class KnownDocument:
    """A document on record that is not deleted. `sha256` is that of its current version.

    `ctime_ns` is the change time of its file when that was last read as a whole, None where it is not on record.
    """

    document_id: UUID
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    ctime_ns: int | None = None


@dataclass(frozen=True)
class FileObservation:
    """The result of reading a file for its SHA-256, or the reason why it cannot be read.

    `settled` is False where the reason may go away without the file's time changing (permissions, a faulty disk): the
    file is read again in every pass.
    """

    file: FileStatus
    sha256: str | None
    error: str | None
    settled: bool = True


@dataclass(frozen=True)
class Task:
    """A version to read. `attempts` includes the current one; `error` is that of the last.

    An `earlier` version was replaced before it was read, and is read from a snapshot.
    """

    version_id: UUID
    document_id: UUID
    root: Path
    path: str
    sha256: str
    seen_from: datetime
    attempts: int
    error: str | None
    earlier: bool = False


def plausible_time(mtime_ns: int, now: datetime) -> tuple[datetime, str | None]:
    """Return a file's time, clipped to the years from 1900 to now, and a note where it was clipped.

    A file dated in the future would be the newest document for ever.
    """
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    try:
        modified = _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError:
        modified, dated = (EARLIEST, "before the year 1") if mtime_ns < 0 else (now, "after the year 9999")
    else:
        dated = modified.date().isoformat()
        if EARLIEST <= modified <= now + MAX_CLOCK_SKEW:
            return modified, None
        modified = EARLIEST if modified < EARLIEST else now
    return modified, f"The file is dated {dated}, which cannot be; {modified.date().isoformat()} is used instead."
