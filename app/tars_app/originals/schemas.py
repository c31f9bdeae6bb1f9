# SPDX-License-Identifier: GPL-3.0-or-later
"""The file behind a version of a document, and its pages, in the HTTP API."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field


class Original(BaseModel):
    """The file of a version of a document, which can be downloaded."""

    version_id: UUID
    document_id: UUID
    source: str = Field(description="The share on which it is now")
    path: str = Field(description="Path below the share, or in the snapshot")
    snapshot: str | None = Field(description="The snapshot of the NAS from which it comes; null: the share itself")
    name: str = Field(description="The name that a download gets")
    media_type: str
    size: int = Field(description="Bytes")


class Mark(BaseModel):
    """A rectangle over the picture of a page. Its sides are at these shares (0 to 1) of the width, or of the height."""

    left: float
    top: float
    right: float
    bottom: float


class PageView(BaseModel):
    """The page of a PDF, a scan or a photo on which a passage stands."""

    version_id: UUID
    page: int = Field(description="From 1. The picture of it: /api/originals/VERSION_ID/pages/PAGE")
    width: float = Field(description="In points (1/72 inch) of a PDF, in pixels of others")
    height: float
    marks: list[Mark] = Field(
        description="One for each line of the quotation; empty where it was not found on the page"
    )
    note: str | None = Field(description="Why nothing is marked, for people")
