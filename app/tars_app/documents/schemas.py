# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and shares in the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

DATED = "The date that the document itself claims: a day (2023-05-04), a month (2023-05) or a year (2023)"
DATED_BY = "Where that date stands: mail header, front matter, name, folder, text, or metadata of the file"


class Document(BaseModel):
    """A file on a share, and whether it has been read."""

    document_id: UUID
    source: str
    path: str
    state: Literal["indexed", "pending", "failed"]
    error: str | None = Field(description="Why it failed, or what it waits for")
    modified: datetime = Field(description="Time of the file, clipped to plausible years")
    observed: datetime = Field(description="When this content was first observed")
    dated: str | None = Field(description=DATED)
    dated_by: str | None = Field(description=DATED_BY)
    pages: int | None = Field(description="Number of pages, slides, sheets or messages that have text")
    chunks: int | None
    note: str | None = Field(
        None, description="An implausible file time, what was not read, or what is missing from the index"
    )


class Place(BaseModel):
    """A document and where it is."""

    document_id: UUID
    source: str
    path: str


class Source(BaseModel):
    """A share, and whether it answers."""

    name: str
    available: bool
    detail: str | None = Field(description="Why it is not available, or what cannot be read in it")


class Past(BaseModel):
    """The versions that are asked about: those that existed at `at`, or at some time from `since` to `at`."""

    since: datetime = Field(description="The same as `at`, unless a period is asked about")
    at: datetime
    history_begins: datetime = Field(
        description="When the first document was observed, or since when the history is kept"
    )
    unread: int = Field(description="Versions of that time whose text is not on record")


class Documents(BaseModel):
    """Every file, and every share."""

    as_of: Past | None = Field(None, description="null: now")
    documents: list[Document]
    sources: list[Source]
