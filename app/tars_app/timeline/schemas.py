# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories and differences in the HTTP API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from tars_app.documents.schemas import DATED, DATED_BY, Place
from tars_app.retrieval.schemas import LABEL


class DayOfChanges(BaseModel):
    """A day on which contents of documents were first observed."""

    day: date
    changes: int = Field(description="How many contents")


class Timeline(BaseModel):
    """The days of the history, the earliest first; empty before the first observation."""

    zone: str = Field(description="Time zone of the days, by its IANA name")
    days: list[DayOfChanges]


class Version(BaseModel):
    """A content that a document has had."""

    version_id: UUID
    source: str = Field(description="The share of that path")
    path: str = Field(description="The last path that the document had with this content")
    observed: datetime = Field(description="When this content was first observed")
    until: datetime | None = Field(description="When the next content or the deletion was observed; null: current")
    snapshot: str | None = Field(
        description="The snapshot of the NAS in which this content was first observed; null: the share itself"
    )
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

    source: str
    path: str
    observed: datetime = Field(description="Since when")


class History(BaseModel):
    """All versions of a document, the oldest first."""

    document_id: UUID
    source: str
    path: str = Field(description="Path below the share, now or last")
    deleted: datetime | None = Field(description="Since when the file is gone")
    kept_since: datetime | None = Field(
        None, description="Versions of any document that ended before this may have been removed; null: none was"
    )
    versions: list[Version]
    paths: list[PathEntry]


class Quote(BaseModel):
    """A sentence of a version, letter for letter."""

    chunk_id: str = Field(description="The passage that contains it; /api/passages opens it")
    page: int | None
    label: str = Field(description=LABEL)
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


class NotCompared(Place):
    """A document whose text of one of the times is not on record."""

    reason: str


class TopicDifference(BaseModel):
    """What changed about a topic between two times, the document that fits best first."""

    topic: str
    since: datetime
    until: datetime
    documents: list[Difference] = Field(description="Changes in passages about the topic, with quotes of both versions")
    unchanged: list[Place] = Field(description="Documents about the topic whose passages about it did not change")
    not_compared: list[NotCompared]
