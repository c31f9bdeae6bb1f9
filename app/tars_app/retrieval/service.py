# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current, or were so at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from tars_app.adapters.ollama import embed
from tars_app.adapters.passage_index import View
from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Past
from tars_app.documents.visible import NoHistoryError, TimeAsked, visible_versions, words_of
from tars_app.kit.dates import first_day, last_day
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import ANY_TIME, TimeRequest, end_of, start_of
from tars_app.retrieval.fulltext import has_operators
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.places import Passage, load_passages, note_superseded
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS, Understood
from tars_app.retrieval.times import TimeInQuestion, time_in, without_time

log = logging.getLogger(__name__)

STRONG_SHARE = 0.7
"""Passages with at least this share of the best score fit about equally; time decides among these alone."""


@dataclass(frozen=True)
class Results:
    """Passages that are evidence, best first; the time asked about, None for now; the one read from the question."""

    passages: list[Passage]
    past: TimeAsked | None = None
    understood: Understood | None = None


def search(dependencies: Dependencies, question: str, limit: int, asked: TimeRequest = ANY_TIME) -> Results:
    """Return the passages that are evidence for the question, best first: of now, or as they were at a time.

    A search of the past is exact. One of now reads the nearest vectors from Chroma, which are nearly so.

    Raises:
        NoHistoryError: nothing had been observed at that time.
        UnavailableError: a store or the embedding model does not answer. Never an empty list instead.
    """
    phrase = question if has_operators(question) else None
    named = None if phrase else _named_time(dependencies, question, asked)
    if named:
        asked, question = _request_of(dependencies, named), without_time(question, named)
    understood = Understood(**asdict(named)) if named else None
    candidates = max(4 * limit, 40)
    try:
        with dependencies.pool.connection() as connection:
            visible = visible_versions(connection, asked.at, asked.since)
            words, language = words_of(connection, question, dependencies.settings.text_search)
            # A date that a question names may stand in the name of a file alone.
            optional = words_of(connection, named.text, language)[0] if named and named.kind == "period" else []
    except NoHistoryError as error:
        error.understood = understood
        raise
    view = dependencies.passages.view(visible.ids, language)
    scores = _evidence(dependencies, question, view, words, optional, candidates, exact=asked.at is not None)
    places = dependencies.passages.places(view, scores)
    with dependencies.pool.connection() as connection:
        passages = load_passages(connection, places, scores, phrase, asked.at)
        ranked = prefer([passages[key] for key in scores if key in passages], named, asked.latest)
        return Results(note_superseded(connection, ranked[:limit]), visible.past, understood)


def _named_time(dependencies: Dependencies, question: str, asked: TimeRequest) -> TimeInQuestion | None:
    """Return the time that a question names, unless the request names one or refuses it."""
    if asked.at or asked.latest or not asked.interpret:
        return None
    return time_in(question, datetime.now(dependencies.zone).date())


def _request_of(dependencies: Dependencies, named: TimeInQuestion) -> TimeRequest:
    if named.first is None or named.last is None or named.kind not in ("as_of", "between"):
        return TimeRequest(latest=named.kind == "latest")
    now = datetime.now(UTC)
    since = start_of(named.first.isoformat(), dependencies.zone, now) if named.kind == "between" else None
    return TimeRequest(end_of(named.last.isoformat(), dependencies.zone, now), since)


def _evidence(
    dependencies: Dependencies,
    question: str,
    view: View,
    words: Sequence[str],
    optional: Sequence[str],
    candidates: int,
    exact: bool,
) -> dict[bytes, float]:
    """Return the passages of a view that are evidence, best first, with their scores. `optional` words may lack."""
    settings, index = dependencies.settings, dependencies.passages
    vector = embed(dependencies.embedder, settings.embedding_model, [question])[0]
    lexical = index.lexical(view, words, candidates, optional)
    nearest = index.nearest(view, vector, candidates) if exact else dependencies.vectors.nearest(vector, candidates)
    fused = fuse(
        {hit.hash: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage},
        {key: similarity for key, similarity in nearest if similarity >= settings.min_similarity},
        candidates,
    )
    return {result.key: result.score for result in fused}


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


def load_current(dependencies: Dependencies) -> None:
    """Load the words of the current passages, so that the first question does not wait for it."""
    try:
        with dependencies.pool.connection() as connection:
            visible = visible_versions(connection, None)
            _, language = words_of(connection, "", dependencies.settings.text_search)
        began = time.monotonic()
        dependencies.passages.view(visible.ids, language)
        log.info("Words loaded", extra={"fields": {"seconds": round(time.monotonic() - began, 1)}})
    except UnavailableError as error:
        log.info("Words are loaded with the first question", extra={"fields": {"reason": str(error)}})


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def past_of(results: Results) -> Past | None:
    """Return the time that was asked about, None for now."""
    return Past.model_validate(results.past, from_attributes=True) if results.past else None
