# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the shares, and their states, in the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from tars_app.documents.schemas import DATED, DATED_BY

State = Literal["found", "waiting", "reading", "read", "failed", "ignored"]
STATES = (
    "found: not on record yet; waiting: for its turn; reading: now; read: answers use it; failed: it cannot be read; "
    "ignored: it is not a document"
)


class Counts(BaseModel):
    """How many files are in each state."""

    found: int = 0
    waiting: int = 0
    reading: int = 0
    read: int = 0
    failed: int = 0
    ignored: int = 0


class Share(BaseModel):
    """A share, and when all of it was last compared with the record."""

    name: str
    available: bool
    detail: str | None = Field(description="Why it is not available, or what cannot be read in it")
    scanned: datetime | None


class Folder(BaseModel):
    """A folder with everything below it."""

    path: str = Field(description="With its share, as LLM_docs/house")
    name: str
    counts: Counts


class Progress(BaseModel):
    """How far reading has come, over all shares."""

    read: int
    total: int = Field(description="Files that are read, cannot be read, or will be read")
    files_per_minute: float | None = Field(description="In the last ten minutes; null: none was read")
    minutes_left: int | None = Field(description="An estimate; null: nothing is left, or the rate is not known")
    text: str = Field(description='As a sentence part: "412 of 3,000 read, about 12 minutes left"')


class Library(BaseModel):
    """The shares, or a folder of one, with the folders in it."""

    folder: str = Field(description="With its share; empty for all shares")
    counts: Counts
    folders: list[Folder]
    shares: list[Share]
    progress: Progress


class File(BaseModel):
    """A file or folder, and whether it was read."""

    document_id: UUID | None = Field(description="null: it is not on record as a document")
    source: str = Field(description="The share, as LLM_docs")
    path: str = Field(description="Below the share. Bytes that are not UTF-8, and line ends, are written as \\xff")
    state: State = Field(description=STATES)
    because: str | None = Field(
        description="For programs, of one that is not a document: found, writing, unreadable, forgotten, system, "
        "hidden, temporary, format, link, special or loop"
    )
    reason: str | None = Field(description="Why it is not read, or what it waits for; null for one that was read")
    next_step: str | None = Field(description="What a person can do about it")
    since: datetime | None = Field(description="Since when it is being read")
    size: int | None
    modified: datetime | None = Field(description="Time of the file, clipped to plausible years")
    observed: datetime | None = Field(description="When this content was first observed")
    dated: str | None = Field(description=DATED)
    dated_by: str | None = Field(description=DATED_BY)
    pages: int | None
    chunks: int | None
    note: str | None = Field(description="An implausible file time, or what is missing from the index")
    earlier: bool = Field(description="Answers use an earlier version of it, as this one was not read")


class Files(BaseModel):
    """One page of the files that were asked for, in the order of their paths."""

    total: int
    files: list[File]


class RetryOrder(BaseModel):
    """What to read again: one file, the failed ones of a folder, or all failed ones."""

    path: str | None = Field(None, min_length=1, max_length=8192, description="A file, with or without its share")
    folder: str | None = Field(None, min_length=1, max_length=8192, description="A folder, with its share")
    failed: bool = Field(False, description="Every file that cannot be read")

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if [self.path is not None, self.folder is not None, self.failed].count(True) != 1:
            raise ValueError("expected one of path, folder, and failed: true")
        return self


class Retried(BaseModel):
    """What is read again."""

    retried: int = Field(description="Files that were put first in the queue")
    checked: int = Field(description="Files whose content could not be read, and which the next scan tries to read")
    text: str = Field(description="As a sentence")
