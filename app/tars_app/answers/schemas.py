# SPDX-License-Identifier: GPL-3.0-or-later
"""The question, and the events of the answer's stream."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tars_app.answers.figures import Kind
from tars_app.answers.grounding import Reason
from tars_app.dependencies import INTERPRET, LATEST, SINCE
from tars_app.documents.schemas import Past
from tars_app.kit.instants import EXPECTED
from tars_app.library.schemas import File
from tars_app.retrieval.schemas import LABEL, FoundPassage, PlainText, Understood


class Question(BaseModel):
    """A question."""

    question: PlainText = Field(min_length=1, max_length=2000, pattern=r"\S")
    limit: int | None = Field(None, ge=1, le=20, description="Most passages to answer from")
    as_of: str | None = Field(None, max_length=64, description=f"The past time to answer for: {EXPECTED}")
    since: str | None = Field(None, max_length=64, description=SINCE)
    latest: bool = Field(False, description=LATEST)
    interpret: bool = Field(True, description=INTERPRET)


class SourceEntry(FoundPassage):
    """A passage in the prompt."""


class Sources(BaseModel):
    """Event `sources`, the first: the passages that the answer is based on. Empty where none matches."""

    sources: list[SourceEntry]
    as_of: Past | None = Field(None, description="The time that is answered for; null: now")
    understood: Understood | None = Field(None, description="null: no time was read from the question")


class Token(BaseModel):
    """Event `token`: a piece of the answer."""

    text: str


class UnsupportedPart(BaseModel):
    """A figure or name of a sentence that the passages do not support."""

    text: str = Field(description="As it stands in the answer")
    start: int = Field(description="Position in the answer, in Unicode code points")
    end: int
    kind: Kind
    reason: Reason = Field(
        description="absent: in no passage; other: only beside another identifier than the one asked for; "
        "calculation: the sum or difference does not come out"
    )


class Sentence(BaseModel):
    """Event `sentence`: a sentence of the answer, once it is complete, compared with the passages."""

    number: int = Field(description="From 1")
    start: int = Field(description="Position in the answer, in Unicode code points")
    end: int
    unsupported: list[UnsupportedPart] = Field(description="Empty where the passages support every figure and name")


class Citation(BaseModel):
    """A verified quote: it occurs, letter for letter, at that place of the version that the answer is based on."""

    source: int = Field(description="`id` of the source")
    quote: str
    page: int | None
    label: str = Field(description=LABEL)
    sentences: list[int] = Field(
        [], description="Numbers of the sentences of the answer; empty where the quote is the nearest to the question"
    )


Support = Literal["supported", "partly_supported", "unsupported", "not_in_documents", "no_evidence"]


class Done(BaseModel):
    """Event `done`, the last one of an answer."""

    answer: str
    support: Support = Field(
        description="supported: every figure and name is in the passages; partly_supported: some sentences are not; "
        "unsupported: the passages do not support what was asked for; not_in_documents: the passages contain nothing "
        "of the kind asked for, and the model was not asked; no_evidence: there are no passages"
    )
    history_begins: datetime | None = Field(None, description="Set where the time asked for lies before it")
    note: str | None = Field(
        None, description="What the marks mean for this answer, and whether the prompt was cut, for people"
    )
    prompt_cut: bool = Field(
        False, description="The model server counted fewer tokens than the prompt has: it did not read all passages"
    )
    unread: File | None = Field(
        None, description="A file that was not read, whose name fits the question better than those of the sources"
    )
    sentences: list[Sentence] = []
    citations: list[Citation]
    model: str
    prompt_tokens: int
    answer_tokens: int
    duration_s: float


class Failure(BaseModel):
    """Event `error`, the last one of an answer that failed. Tokens may precede it."""

    message: str
    next_step: str
