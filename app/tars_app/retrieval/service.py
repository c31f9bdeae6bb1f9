# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current, or were so at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from tars_app.adapters.ollama import embed
from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Past
from tars_app.documents.visible import NoHistoryError, TimeAsked, Visible, visible_versions, words_of
from tars_app.kit.dates import first_day, last_day
from tars_app.kit.instants import ANY_TIME, TimeRequest, end_of, start_of
from tars_app.retrieval.fulltext import has_operators
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.places import Passage, load_passages, note_superseded
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS, Understood
from tars_app.retrieval.times import TimeInQuestion, time_in, without_time

STRONG_SHARE = 0.7
"""Passages with at least this share of the best score fit about equally; time decides among these alone."""


@dataclass(frozen=True)
class Results:
    """Passages that are evidence, best first; the time asked about, None for now; the one read from the question."""

    passages: list[Passage]
    past: TimeAsked | None = None
    understood: Understood | None = None


def search(dependencies: Dependencies, question: str, limit: int, time: TimeRequest = ANY_TIME) -> Results:
    """Return the passages that are evidence for the question, best first: of now, or as they were at a time.

    A search of the past is exact. One of now reads the nearest vectors from Chroma, which are nearly so.

    Raises:
        NoHistoryError: nothing had been observed at that time.
        UnavailableError: a store or the embedding model does not answer. Never an empty list instead.
    """
    phrase = question if has_operators(question) else None
    named = None if phrase else _named_time(dependencies, question, time)
    if named:
        time, question = _request_of(dependencies, named), without_time(question, named)
    understood = Understood(**asdict(named)) if named else None
    optional = named.text if named and named.kind == "period" else ""
    try:
        visible = visible_versions(dependencies.pool, time.at, time.since)
    except NoHistoryError as error:
        error.understood = understood
        raise
    candidates = max(4 * limit, 40)
    passages = prefer(_find(dependencies, question, visible, candidates, phrase, optional), named, time.latest)[:limit]
    return Results(note_superseded(dependencies.pool, passages), visible.past, understood)


def _named_time(dependencies: Dependencies, question: str, time: TimeRequest) -> TimeInQuestion | None:
    """Return the time that a question names, unless the request names one or refuses it."""
    if time.at or time.latest or not time.interpret:
        return None
    return time_in(question, datetime.now(dependencies.zone).date())


def _request_of(dependencies: Dependencies, named: TimeInQuestion) -> TimeRequest:
    if named.first is None or named.last is None or named.kind not in ("as_of", "between"):
        return TimeRequest(latest=named.kind == "latest")
    now = datetime.now(UTC)
    since = start_of(named.first.isoformat(), dependencies.zone, now) if named.kind == "between" else None
    return TimeRequest(end_of(named.last.isoformat(), dependencies.zone, now), since)


def _find(
    dependencies: Dependencies, question: str, visible: Visible, candidates: int, phrase: str | None, optional: str
) -> list[Passage]:
    """Return the passages of these versions that are evidence, best first.

    The words of `optional`, which are part of the question, need not occur: a date may stand in a file's name alone.
    """
    settings, index = dependencies.settings, dependencies.passages
    at = visible.past.at if visible.past else None
    vector = embed(dependencies.embedder, settings.embedding_model, [question])[0]
    words, language = words_of(dependencies.pool, question, settings.text_search)
    view = index.view(visible.ids, language)
    may_lack = words_of(dependencies.pool, optional, language)[0] if optional else []
    lexical = index.lexical(view, words, candidates, may_lack)
    nearest = index.nearest(view, vector, candidates) if at else dependencies.vectors.nearest(vector, candidates)
    fused = fuse(
        {hit.hash: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage},
        {key: similarity for key, similarity in nearest if similarity >= settings.min_similarity},
        candidates,
    )
    scores = {result.key: result.score for result in fused}
    passages = load_passages(dependencies.pool, index.places(view, scores), scores, phrase, at)
    return [passages[key] for key in scores if key in passages]


def prefer(passages: Sequence[Passage], named: TimeInQuestion | None, latest: bool) -> list[Passage]:
    """Return the passages with those of the time first, as far as they fit about as well as the best one.

    The latest first; or those of documents of a period. The date is the one that the document claims, else its file's.
    """
    least = STRONG_SHARE * max((passage.score for passage in passages), default=0.0)
    strong = [passage for passage in passages if passage.score >= least]
    weak = [passage for passage in passages if passage.score < least]
    if latest:
        strong.sort(key=lambda passage: last_day(passage.day), reverse=True)
    elif named and named.first and named.last and named.kind == "period":
        first, last = named.first, named.last
        strong.sort(key=lambda passage: not (first_day(passage.day) <= last and first <= last_day(passage.day)))
    return strong + weak


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def past_of(results: Results) -> Past | None:
    """Return the time that was asked about, None for now."""
    return Past.model_validate(results.past, from_attributes=True) if results.past else None
