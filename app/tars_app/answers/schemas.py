# SPDX-License-Identifier: GPL-3.0-or-later
"""The question, and the events of the answer's stream."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tars_app.retrieval.schemas import FoundPassage, PlainText


class Question(BaseModel):
    """A question."""

    question: PlainText = Field(min_length=1, max_length=2000, pattern=r"\S")
    limit: int | None = Field(None, ge=1, le=20, description="Most passages to answer from")


class SourceEntry(FoundPassage):
    """A passage in the prompt."""


class Sources(BaseModel):
    """Event `sources`, the first: the passages that the answer is based on. Empty where none matches."""

    sources: list[SourceEntry]


class Token(BaseModel):
    """Event `token`: a piece of the answer."""

    text: str


class Citation(BaseModel):
    """A verified quote: it occurs, letter for letter, on that page of the version that the answer is based on."""

    source: int = Field(description="`id` of the source")
    quote: str
    page: int | None


class Done(BaseModel):
    """Event `done`, the last one of an answer."""

    answer: str
    citations: list[Citation]
    model: str
    prompt_tokens: int
    answer_tokens: int
    duration_s: float


class Failure(BaseModel):
    """Event `error`, the last one of an answer that failed. Tokens may precede it."""

    message: str
    next_step: str
