# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding documents, in the HTTP API."""

from __future__ import annotations

from pydantic import BaseModel, Field


class UploadFolder(BaseModel):
    """Where documents are added, and up to which size."""

    place: str | None = Field(description="Folder of the library, with its share; null: documents cannot be added")
    max_bytes: int = Field(description="Size of the largest file that is read")


class Uploaded(BaseModel):
    """A document that was saved."""

    file: str = Field(description="With its share, as uploads/letter.pdf")
    name: str = Field(description="Its name in the folder: with a number where the given one was taken")
    text: str = Field(description="As a sentence")
