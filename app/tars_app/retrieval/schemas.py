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

LABEL = "The place in the file as people see it, as page 3 or sheet Costs; empty for a file without places"

QUOTED = "The cited words: their place is marked; without them, the whole passage"
NO_PASSAGE = "There is no such passage, or its share was not scanned since the database was restored. Ask again."

PlainText = Annotated[str, AfterValidator(lambda text: text.replace("\x00", " "))]
"""Text without NUL, which PostgreSQL does not accept."""


class OtherPlace(BaseModel):
    """Another document that contains the same passage."""

    document_id: UUID
    source: str
    path: str
    page: int | None
    label: str = Field(description=LABEL)


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
    version_id: UUID = Field(description="This version of the document; its file: /api/originals/VERSION_ID/file")
    source: str = Field(description="The share, as LLM_docs")
    path: str = Field(description="Path below the share")
    title: str = Field(description="The file's name")
    page: int | None = Field(
        description="Number of the page, slide, sheet or other section, from 1; null for a file without places"
    )
    label: str = Field(description=LABEL)
    note: str | None = Field(description="What was not read of this version of the document; null: nothing")
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
    first: date | None = Field(description="First day; null for latest, and for all of the history")
    last: date | None = Field(description="Last day, at most today")


class SearchResults(BaseModel):
    """Best first."""

    query: str
    as_of: Past | None = Field(None, description="null: now")
    understood: Understood | None = Field(None, description="null: no time was read from the query")
    results: list[SearchResult]


class Cell(BaseModel):
    """A cell of a sheet."""

    text: str
    marked: bool = Field(description="The quotation, or a part of it, stands in it")


class Row(BaseModel):
    """A row of a sheet."""

    number: int = Field(description="From 1, as a spreadsheet numbers it")
    cells: list[Cell]


class Table(BaseModel):
    """The rows of a sheet around a quotation."""

    columns: list[str] = Field(description="Their letters: A, B, ...")
    titles: list[str] = Field(description="Of the columns, from the header row; empty where that is among the rows")
    rows: list[Row]


class MailField(BaseModel):
    """A line of the header of a mail."""

    name: str = Field(description="From, To, Cc, Date or Subject")
    value: str


class PassageView(PassagePlace):
    """A passage with the text of its section around it."""

    text: str
    header: str = Field(description="What belongs to the passage without standing in it, as the header of its table")
    before: str
    after: str
    has_page: bool = Field(description="/api/passages/CHUNK_ID/page shows it on the page of the file")
    table: Table | None = Field(description="The same as rows and cells; null: the passage does not stand in a sheet")
    mail: list[MailField] = Field(description="The header of the mail in which it stands; empty for other documents")
