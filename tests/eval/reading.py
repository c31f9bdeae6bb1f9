# SPDX-License-Identifier: GPL-3.0-or-later
"""Score reading: whether the right passage, given alone with others of its time, is taken as an answer and quoted."""

from __future__ import annotations

from typing import Any

from tars_app.answers.asked import kind_is_missing
from tars_app.answers.grounding import Evidence
from tars_app.answers.quotes import Quotable
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Section
from tars_app.documents.passages import place_passages

from .corpus import EvaluationSet, Question
from .retrieval import share

_WORDS, _CHARACTERS = 180, 1000


def read_all(evaluation: EvaluationSet) -> dict[str, Any]:
    """Return the share of questions whose quotes contain the expected text, and how many were refused."""
    readable = [question for question in evaluation.questions if question.contains]
    quoted, refused = [], []
    for question in readable:
        evidence = Evidence(question.ask, _passages(evaluation, question))
        if kind_is_missing(evidence.question, evidence.sources):
            refused.append(question.ask)
        quotes = Quotable(evidence.sources, [1.0] * len(evidence.sources)).find(question.ask, "")
        quoted.append(any(question.contains.lower() in quote.text.lower() for quote in quotes))
    missed = [question.ask for question, hit in zip(readable, quoted, strict=True) if not hit]
    return {
        "questions": len(readable),
        "quoted": share(quoted),
        "refused": len(refused),
        "not_quoted": missed,
        "refused_questions": refused,
    }


def _passages(evaluation: EvaluationSet, question: Question) -> list[tuple[str, str]]:
    """Return the passages of the document in the right version, with their path."""
    document = next(document for document in evaluation.documents if document.path == question.document)
    text = next(content.text for content in document.contents if content.observed in question.version)
    pages = [Section(NO_PAGE, text or "")]
    return [(document.path, passage.text) for passage in place_passages(pages, _WORDS, _CHARACTERS)]
