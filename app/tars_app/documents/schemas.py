# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about documents over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class Document(BaseModel):
    """A file on a share, and whether it has been read."""

    document_id: UUID
    source: str
    path: str
    state: Literal["indexed", "pending", "failed"]
    error: str | None = Field(description="Why it failed, or what it waits for")
    modified: datetime
    pages: int | None
    chunks: int | None


class Source(BaseModel):
    """A share, and whether it is there."""

    name: str
    available: bool
    detail: str | None


class Documents(BaseModel):
    """Every file, and every share."""

    documents: list[Document]
    sources: list[Source]
