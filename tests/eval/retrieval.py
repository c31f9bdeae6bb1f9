# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the search: whether the right passage of the right version is first, and whether nothing is where it should be.

Reading is scored apart, in reading.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from tars_app.answers.service import evidence_for
from tars_app.dependencies import Dependencies
from tars_app.documents.visible import NoHistoryError
from tars_app.kit.instants import TimeRequest, end_of, start_of
from tars_app.kit.language import language
from tars_app.retrieval.places import Passage
from tars_app.retrieval.schemas import Understood
from tars_app.retrieval.service import search
from tars_app.timeline.repository import read_history
from tars_app.timeline.service import difference

from .corpus import KINDS, EvaluationSet, Question

Outcome = Literal["evidence", "not_in_documents", "no_evidence", "no_history"]
LIMIT = 5


@dataclass(frozen=True)
class Scored:
    """A question and how it went: `rank` of the first right passage, 0 for none; `right`: as it should be."""

    question: Question
    right: bool
    rank: int
    outcome: Outcome
    first: str
    detail: str = ""

    @property
    def row(self) -> list[str]:
        """The question, what was first and what was wrong, for people."""
        return [self.question.kind, self.question.ask, self.outcome, self.first, self.detail]


def score_all(dependencies: Dependencies, evaluation: EvaluationSet) -> list[Scored]:
    """Ask every question."""
    return [score(dependencies, question) for question in evaluation.questions]


def score(dependencies: Dependencies, question: Question) -> Scored:
    """Ask a question, and compare what comes first with what should."""
    at = end_of(question.at.isoformat(), dependencies.zone, dependencies.now()) if question.at else None
    try:
        results = search(dependencies, question.ask, LIMIT, TimeRequest(at))
    except NoHistoryError:
        return Scored(question, question.begins, 0, "no_history", "")
    passages = results.passages
    given = evidence_for(dependencies.settings, question.ask, results)
    outcome: Outcome = "no_evidence" if given is None else "not_in_documents" if given[2] else "evidence"
    first = _describe(passages[0]) if passages else ""
    if question.kind == "unanswerable":
        return Scored(question, outcome != "evidence" and not question.begins, 0, outcome, first)
    ranks = (number for number, passage in enumerate(passages, 1) if _is_right(question, passage))
    rank = next(ranks, 0)
    if rank != 1 or question.kind in ("content", "now", "latest"):
        return Scored(question, rank == 1, rank, outcome, first)
    wrong = _wrong_history(dependencies, question, passages[0], results.understood)
    return Scored(question, not wrong, rank, outcome, first, wrong)


def _describe(passage: Passage) -> str:
    return f"{passage.path} {passage.observed:%Y-%m-%d}"


def _is_right(question: Question, passage: Passage) -> bool:
    """Return whether a passage is the one asked for; for changes, that of either version, or of one of the days."""
    changes = () if question.version else (question.before, question.after)
    wanted = [text for text in (question.contains, *changes) if text]
    return (
        passage.path == question.document
        and (not question.version or passage.observed.date() in question.version)
        and (not wanted or any(text.lower() in passage.text.lower() for text in wanted))
    )


def _wrong_history(
    dependencies: Dependencies, question: Question, passage: Passage, understood: Understood | None
) -> str:
    """Return what is wrong in the history of the document that was found, or the difference of the time understood."""
    history = read_history(dependencies.pool, passage.document_id)
    if question.kind == "versions":
        count = len(history.versions)
        return "" if count == question.versions else f"found {count} versions, expected {question.versions}"
    since, until = history.versions[0].observed, dependencies.now()
    if understood and understood.kind in ("between", "period"):
        if understood.first:
            since = max(since, start_of(understood.first.isoformat(), dependencies.zone, until))
        if understood.last:
            until = end_of(understood.last.isoformat(), dependencies.zone, until)
    changes = difference(dependencies.pool, passage.document_id, since, until).changes
    removed = "\n".join(quote.quote for change in changes for quote in change.removed)
    added = "\n".join(quote.quote for change in changes for quote in change.added)
    if question.before in removed and question.after in added:
        return ""
    return f"the difference from {_day(since)} to {_day(until)} lacks {question.before} or {question.after}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def summarize(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return the share of right results by kind, how many answerable questions were refused, and what was wrong."""
    of_kind = defaultdict(list)
    for entry in scored:
        of_kind[entry.question.kind].append(entry)
    answerable = [entry for entry in scored if entry.question.kind != "unanswerable"]
    return {
        "questions": len(scored),
        "right_first": {kind: share(entry.right for entry in of_kind[kind]) for kind in KINDS if of_kind[kind]},
        "refused_answerable": sum(entry.outcome != "evidence" for entry in answerable),
        "mean_reciprocal_rank": mean_reciprocal_rank(scored),
        "by_language": {name: rates for name in ("en", "de") if (rates := _of_language(scored, name))["questions"]},
        "wrong": [entry.row for entry in scored if not entry.right],
        "refused": [entry.row for entry in answerable if entry.outcome != "evidence"],
    }


def _of_language(scored: Sequence[Scored], name: str) -> dict[str, Any]:
    """Return the hit rates of the answerable questions in a language; those that are in neither are left out."""
    entries = [
        entry for entry in scored if entry.question.kind != "unanswerable" and language(entry.question.ask) == name
    ]
    return {
        "questions": len(entries),
        "first": share(entry.rank == 1 for entry in entries),
        "among_three": share(1 <= entry.rank <= 3 for entry in entries),
        "right": share(entry.right for entry in entries),
    }


def mean_reciprocal_rank(scored: Iterable[Scored]) -> float:
    """Return the mean of 1/rank of the first right passage over the questions that have an answer."""
    ranks = [entry.rank for entry in scored if entry.question.kind != "unanswerable"]
    return round(sum(1 / rank for rank in ranks if rank) / max(1, len(ranks)), 4)


def share(values: Iterable[bool]) -> float:
    """Return the share (0..1) of those that are true."""
    known = list(values)
    return round(sum(known) / max(1, len(known)), 4)
