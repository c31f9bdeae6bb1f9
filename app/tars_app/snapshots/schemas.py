# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots in the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ShareSnapshot(BaseModel):
    """A snapshot that the NAS has shown in a share."""

    source: str
    name: str
    taken: datetime | None = Field(description="The time in its name, null where it has none")
    state: Literal["imported", "waiting", "watched", "old", "no time", "ahead", "wrong time", "unreadable", "gone"] = (
        Field(
            description="watched: the share was being scanned at that time; old: older than the limit; no time: the "
            "name has none; ahead: its time is in the future; wrong time: it contains files of a later time; "
            "unreadable: it is tried again; gone: the NAS deleted it before it was imported"
        )
    )
    detail: str | None = Field(description="Why it was not imported, or what could not be read in it")


class ShareHistory(BaseModel):
    """How far the history of a share goes back, and what is left to import."""

    source: str
    imported_back_to: datetime | None = Field(description="Time of the earliest snapshot imported; null: none")
    snapshots_imported: int
    snapshots_left: int = Field(description="Snapshots that wait to be imported; the latest come first")
    versions_left: int = Field(description="Versions in imported snapshots that were not read yet")


class Snapshots(BaseModel):
    """The import of earlier versions, and every snapshot, the latest first."""

    shares: list[ShareHistory]
    snapshots: list[ShareSnapshot]
