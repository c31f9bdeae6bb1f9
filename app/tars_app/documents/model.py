# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of this folder: a page of text, a document on record, and the observation of a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from tars_app.adapters.mounts import FileStatus

NO_PAGE = 0
"""The page number of a text that has no pages."""


@dataclass(frozen=True)
class Page:
    """Text of one page. `number` counts from 1; `NO_PAGE` for a text without pages."""

    number: int
    text: str


@dataclass(frozen=True)
class KnownDocument:
    """A document on record that is not deleted. `sha256` is that of its current version."""

    document_id: UUID
    size: int | None
    mtime_ns: int | None
    sha256: str | None


@dataclass(frozen=True)
class FileObservation:
    """The result of reading a file for its SHA-256, or the reason why it cannot be read.

    `settled` is False where the reason may go away without the file's time moving (permissions): the file is read again
    in every round.
    """

    file: FileStatus
    sha256: str | None
    error: str | None
    settled: bool = True

    @property
    def modified(self) -> datetime:
        """The file's modification time."""
        return datetime.fromtimestamp(self.file.mtime_ns / 1e9, UTC)
