# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories and differences in the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from tars_app.documents.schemas import DATED, DATED_BY


class Version(BaseModel):
    """A content that a document has had."""

    version_id: UUID
    path: str = Field(description="The last path that the document had with this content")
    observed: datetime = Field(description="When this content was first observed")
    until: datetime | None = Field(description="When the next content or the deletion was observed; null: current")
    modified: datetime = Field(description="Time of the file, clipped to plausible years")
    dated: str | None = Field(description=DATED)
    dated_by: str | None = Field(description=DATED_BY)
    state: Literal["indexed", "pending", "failed"]
    error: str | None = Field(description="Why it failed, or what it waits for")
    pages: int | None
    chunks: int | None = Field(description="Number of passages")
    kept: bool = Field(description="Whether its text is on record")


class PathEntry(BaseModel):
    """A path that a document has had."""

    path: str
    observed: datetime = Field(description="Since when")


class History(BaseModel):
    """All versions of a document, the oldest first."""

    document_id: UUID
    source: str
    path: str = Field(description="Path below the share, now or last")
    deleted: datetime | None = Field(description="Since when the file is gone")
    versions: list[Version]
    paths: list[PathEntry]


class Quote(BaseModel):
    """A sentence of a version, letter for letter."""

    chunk_id: str = Field(description="The passage that contains it; /api/passages opens it")
    page: int | None
    quote: str


class Change(BaseModel):
    """Successive sentences that one version has and the other one has not, in the place of each other."""

    removed: list[Quote]
    added: list[Quote]


class Difference(BaseModel):
    """What changed in a document between two times."""

    document_id: UUID
    source: str
    since: datetime
    until: datetime
    before: Version | None = Field(description="Null: the document did not exist at that time")
    after: Version | None = Field(description="Null: the document did not exist at that time")
    unchanged: int = Field(description="Passages that both versions have")
    changes: list[Change]
