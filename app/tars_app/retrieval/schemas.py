# SPDX-License-Identifier: GPL-3.0-or-later
"""Passages in the HTTP API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from tars_app.documents.schemas import DATED, DATED_BY, Past
from tars_app.retrieval.times import Kind

EXCERPT_CHARACTERS = 300

PlainText = Annotated[str, AfterValidator(lambda text: text.replace("\x00", " "))]
"""Text without NUL, which PostgreSQL does not accept."""


class OtherPlace(BaseModel):
    """Another document that contains the same passage."""

    document_id: UUID
    source: str
    path: str
    page: int | None


class Superseded(BaseModel):
    """The passage does not stand in the latest version of its document."""

    at: datetime = Field(description="Since when")
    state: Literal["changed", "deleted", "failed", "pending"] = Field(
        description="changed: by a later version; deleted: with the document; failed or pending: the latest version "
        "cannot be read, or was not read yet"
    )
    version_id: UUID | None = Field(description="The first version without the passage; null: the document was deleted")
    chunk_id: str | None = Field(description="The passage that took its place; null: none, it was removed")
    error: str | None = Field(description="Why the latest version cannot be read")


class PassagePlace(BaseModel):
    """A passage and its place. Of several documents that contain it, the one whose file was changed last is shown."""

    chunk_id: str = Field(description="Names this place in this version of the document for ever")
    document_id: UUID
    source: str = Field(description="The share, as LLM_docs")
    path: str = Field(description="Path below the share")
    title: str = Field(description="The file's name")
    page: int | None = Field(description="From 1; null for a file without pages")
    modified: datetime = Field(description="When this version of the file was last changed")
    observed: datetime = Field(description="When this version was first observed")
    dated: str | None = Field(description=DATED)
    dated_by: str | None = Field(description=DATED_BY)
    superseded: Superseded | None = Field(None, description="What took its place since; null: it still stands there")


class FoundPassage(PassagePlace):
    """A passage that was found for a query or a question."""

    id: int = Field(description="Number within this answer, from 1, as in citations")
    score: float = Field(ge=0, le=1, description="Strength of the evidence")
    excerpt: str = Field(description=f"The first {EXCERPT_CHARACTERS} characters at most")
    also_in: list[OtherPlace] = Field([], description="Other documents with the same passage, the latest first")


class SearchResult(FoundPassage):
    """A passage that matches a query."""

    text: str


class Understood(BaseModel):
    """The time that was read from the words of a question. `interpret=false` or another time overrides it."""

    kind: Kind = Field(
        description="as_of: the versions at the end of the days; between: the versions of all these days; period: "
        "documents of these days are preferred; latest: the latest documents are preferred"
    )
    text: str = Field(description="The words that name it")
    first: date | None = Field(description="First day; null for latest")
    last: date | None = Field(description="Last day, at most today")


class SearchResults(BaseModel):
    """Best first."""

    query: str
    as_of: Past | None = Field(None, description="null: now")
    understood: Understood | None = Field(None, description="null: no time was read from the query")
    results: list[SearchResult]


class PassageView(PassagePlace):
    """A passage with the text of its page around it."""

    text: str
    before: str
    after: str
