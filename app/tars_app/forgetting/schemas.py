# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting in the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from tars_app.documents.schemas import Place


class Order(BaseModel):
    """What is to be forgotten."""

    document: str = Field(
        min_length=1, max_length=4096, description="Id, path (with or without its share) or file name, now or once"
    )
    confirm: UUID = Field(description="The id of the document, as the preview has it")


class HeldBackup(BaseModel):
    """A backup that holds a document."""

    made: datetime
    until: datetime | None = Field(
        description="When the rules remove it if backups go on; a time that is not in the future: with the next ones. "
        "null: not known"
    )


class Backups(BaseModel):
    """Backups that still hold a document."""

    state: Literal["none", "unknown", "known"] = Field(
        description="none: there are no backups; unknown: their state cannot be read; known: as the last run recorded"
    )
    made: list[HeldBackup] = Field([], description="The backups that hold it, the oldest first")
    copies: list[str] = Field([], description="Copies of the backups, which have rules of their own")


class Preview(BaseModel):
    """What forgetting a document removes, and what stays."""

    document_id: UUID
    source: str
    path: str = Field(description="Path below the share, now or last")
    deleted: datetime | None = Field(description="Since when the file is gone; null while it exists")
    observed: datetime | None = Field(description="When the document was first observed")
    versions: int = Field(description="Versions on record")
    passages: int = Field(description="Passages that no other document has; they are removed with their vectors")
    shared: int = Field(description="Passages that other documents have too; they stay")
    shared_with: list[Place] = Field(description="Up to 10 of these other documents")
    backups: Backups
    remains: list[str] = Field(description="What is not removed, and what to do about it; one sentence or two each")


class Forgotten(Preview):
    """A document that was forgotten. Its id, path and share are in this answer alone."""

    forgotten_id: UUID = Field(description="Names it in the list, to take it back")
    forgotten_at: datetime
    erased: bool = Field(
        description="Whether the files of the database hold nothing of it any more; the worker does that"
    )


class Tombstone(BaseModel):
    """What is on record of a document that was forgotten."""

    id: UUID
    forgotten_at: datetime
    versions: int = Field(description="How many versions it had")
    erased_at: datetime | None = Field(
        description="Since when the files of the database hold nothing of it; null: not yet"
    )


class Tombstones(BaseModel):
    """The documents that were forgotten, the latest first."""

    forgotten: list[Tombstone]


class Retention(BaseModel):
    """How long versions are kept after they ended: after they were replaced, or their file was deleted."""

    years: int | None = Field(description="The setting; null: for ever")
    kept_since: datetime | None = Field(
        description="Since when the history is complete; null: no version was ever removed"
    )
    before: datetime | None = Field(None, description="Versions that ended before this are removed; null: none")
    begins: datetime | None = Field(
        None, description="When they are removed: a week after the setting changed at the earliest; null: never"
    )
    versions: int = Field(0, description="How many versions that are on record ended before this")
    documents: int = Field(0, description="How many of the deleted documents have no other version")
    passages: int = Field(0, description="How many passages are in no other version; they go with their vectors")
