# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current, or were so at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.ollama import NotInstalledError, Vector, embed_question
from tars_app.adapters.passage_occurrences import View
from tars_app.adapters.passage_titles import runs_of, spaced
from tars_app.adapters.passage_words import Word, plain, words_of_each
from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Past
from tars_app.documents.vectors import answering_vectors
from tars_app.documents.visible import NoHistoryError, TimeAsked, visible_versions
from tars_app.kit.errors import UnavailableError
from tars_app.kit.instants import ANY_TIME, TimeRequest, end_of, start_of
from tars_app.kit.language import language
from tars_app.retrieval.fulltext import asking_of, content_of, has_operators, without_operators
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.places import Passage, load_passages, matching, note_superseded
from tars_app.retrieval.preference import apart, prefer
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS, Understood
from tars_app.retrieval.times import EARLIEST, TimeInQuestion, is_past, time_in, without_time

log = logging.getLogger(__name__)

IDENTIFIED_SCORE = 0.7
"""Least score of a passage that has an identifier of the question: it is evidence among any number of other words."""
_ENGLISH_MODELS = frozenset({"all-minilm", "mxbai-embed-large", "nomic-embed-text", "snowflake-arctic-embed"})
"""Embedding models of Ollama's library that have learned English alone."""
_FOREIGN_WEIGHT = 0.5
"""Of the order by vectors, against that by words, for a question that the model does not understand."""
LOAD_AGAIN_S = 5.0
RANKED = 3
"""Passages, of each that is returned, of which the text is read."""
CANDIDATES, CANDIDATES_OF_A_PHRASE = 40, 400
"""Passages of each ranking that are fused; more where most of them may not match the syntax of a search."""


@dataclass(frozen=True)
class Results:
    """Passages that are evidence, best first; the time asked about, None for now; the one read from the question.

    `forgotten` is the number of the last document that was forgotten.
    """

    passages: list[Passage]
    past: TimeAsked | None = None
    understood: Understood | None = None
    forgotten: int = 0


@dataclass(frozen=True)
class _Query:
    """What is looked for: a text for its meaning, words, and those of them that may lack; syntax of a web search."""

    text: str
    words: list[Word]
    optional: list[Word]
    phrase: str | None


def search(
    dependencies: Dependencies,
    question: str,
    limit: int,
    asked: TimeRequest = ANY_TIME,
    *,
    operators: bool = True,
) -> Results:
    """Return the passages that are evidence for the question, best first: of now, or as they were at a time.

    A search of the past is exact. One of now reads the nearest vectors from Chroma, which are nearly so. Without
    `operators`, quotes and minus signs are those of a sentence.

    Raises:
        NoHistoryError: nothing had been observed at that time.
        UnavailableError: a store or the embedding model does not answer. Never an empty list instead.
    """
    settings = dependencies.settings
    phrase = question if operators and has_operators(question) else None
    named = None if phrase else _named_time(dependencies, question, asked)
    if named:
        asked = _request_of(dependencies, named)
    understood = Understood(**asdict(named)) if named else None
    try:
        with dependencies.pool.reading() as connection:
            visible = visible_versions(connection, asked.at, asked.since, dependencies.reads)
            then = _versions_then(connection, dependencies, question, named)
            vectors = dependencies.reads.get(
                connection, "vectors", partial(answering_vectors, model=settings.embedding_model), visible.state
            )
    except NoHistoryError as error:
        error.understood = understood
        raise
    ids = visible.ids + b"".join(version.bytes for version in then)
    view = dependencies.passages.view(ids, asked.at, visible.named, visible.state)
    with dependencies.pool.reading() as connection:
        query = _query(connection, question, named, phrase, view.languages)
    exact = asked.at is not None or bool(then)
    scores = _evidence(dependencies, query, view, limit, vectors, exact)
    if phrase:
        with dependencies.pool.reading() as connection:
            scores = matching(connection, scores, phrase)
    if not (named or asked.latest):  # which change the order
        scores = dict(islice(scores.items(), RANKED * limit))
    places = dependencies.passages.places(view, scores)
    with dependencies.pool.reading() as connection:
        passages = load_passages(connection, places, scores, asked.at)
        ranked = prefer([passages[key] for key in scores if key in passages], named, asked.latest, then)
        ranked = ranked[:limit] if asked.since else apart(ranked, limit)
        superseded = note_superseded(connection, ranked)
    return Results(superseded, visible.past, understood, dependencies.passages.forgotten)


def _query(
    connection: Connection[dict[str, Any]],
    question: str,
    named: TimeInQuestion | None,
    phrase: str | None,
    languages: Sequence[str],
) -> _Query:
    text = without_time(question, named) if named else without_operators(question) if phrase else question
    content = content_of(text)
    # A date that a question names may stand in the name of a file alone, and "raised" or "cost" in no document.
    named_text = named.text if named and named.kind in ("period", "between") else ""
    texts = (spaced(content), f"{named_text} {asking_of(content)}")
    [(words, common), (optional, _)] = words_of_each(connection, texts, languages)
    runs = [plain(run) for run in sorted(runs_of(content))]
    # Nor need a short number stand anywhere: of a 27" screen, the screen is looked for.
    short = [word for word in words if word.is_number and not word.is_identifier]
    return _Query(text, [*words, *runs], [*optional, *runs, *short, *common], phrase)


def _versions_then(
    connection: Connection[dict[str, Any]], dependencies: Dependencies, question: str, named: TimeInQuestion | None
) -> list[UUID]:
    """Return the versions that existed at the end of a period, and are not those of today.

    "How much was the rent in 2022?" asks for what a document contained then, or for a document of then: so both are
    searched.
    """
    if not (named and named.kind == "period" and named.last and is_past(question)):
        return []
    at = end_of(named.last.isoformat(), dependencies.zone, dependencies.now())
    try:
        past = visible_versions(connection, at, None, dependencies.reads).ids
        current = visible_versions(connection, None, None, dependencies.reads).ids
    except NoHistoryError:
        return []
    return [UUID(bytes=value) for value in sorted(_split(past) - _split(current))]


def _split(ids: bytes) -> set[bytes]:
    return {ids[start : start + 16] for start in range(0, len(ids), 16)}


def _named_time(dependencies: Dependencies, question: str, asked: TimeRequest) -> TimeInQuestion | None:
    """Return the time that a question names, unless the request names one or refuses it."""
    if asked.at or asked.latest or not asked.interpret:
        return None
    return time_in(question, dependencies.now().astimezone(dependencies.zone).date())


def _request_of(dependencies: Dependencies, named: TimeInQuestion) -> TimeRequest:
    if named.last is None or named.kind not in ("as_of", "between"):
        return TimeRequest(latest=named.kind == "latest")
    now = dependencies.now()
    since = start_of((named.first or EARLIEST).isoformat(), dependencies.zone, now) if named.kind == "between" else None
    return TimeRequest(end_of(named.last.isoformat(), dependencies.zone, now), since)


def _evidence(
    dependencies: Dependencies, query: _Query, view: View, limit: int, vectors: tuple[str, bool], exact: bool
) -> dict[bytes, float]:
    """Return the passages of a view that are evidence, best first, with their scores."""
    settings, index = dependencies.settings, dependencies.passages
    candidates = max(4 * limit, CANDIDATES_OF_A_PHRASE if query.phrase else CANDIDATES)
    with ThreadPoolExecutor(1) as other:  # the embedding model and Chroma work meanwhile
        similar = other.submit(_nearest, dependencies, query.text, view, candidates, vectors, exact)
        lexical = index.lexical(view, query.words, candidates, query.optional)
    model, nearest = similar.result()
    fused = fuse(
        {hit.hash: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage or hit.identifiers},
        {key: similarity for key, similarity in nearest if similarity >= settings.min_similarity},
        candidates,
        _FOREIGN_WEIGHT if _is_foreign(model, query.text) else 1.0,
    )
    # A passage with the number that is asked for precedes all others, however near these are.
    identifiers = {hit.hash: hit.identifiers for hit in lexical}
    fused.sort(key=lambda result: -identifiers.get(result.key, 0))
    return {
        result.key: max(result.score, IDENTIFIED_SCORE) if identifiers.get(result.key) else result.score
        for result in fused
    }


def _nearest(
    dependencies: Dependencies, text: str, view: View, limit: int, vectors: tuple[str, bool], exact: bool
) -> tuple[str, list[tuple[bytes, float]]]:
    """Return the embedding model that a text was compared with, and the passages of a view nearest to it."""
    model, in_chroma, vector = _vector_of(dependencies, text, *vectors)
    if exact or not in_chroma:
        return model, dependencies.passages.nearest(view, vector, limit, model)
    return model, dependencies.vectors.nearest(vector, limit)


def _is_foreign(model: str, question: str) -> bool:
    """Return whether an embedding model has not learned the language of a question."""
    return model.partition(":")[0] in _ENGLISH_MODELS and language(question) == "de"


def _vector_of(dependencies: Dependencies, text: str, model: str, in_chroma: bool) -> tuple[str, bool, Vector]:
    """Return the vector of a text, with the model of the passages' vectors to compare it with; are they in Chroma?"""
    wanted = dependencies.settings.embedding_model
    try:
        return model, in_chroma, embed_question(dependencies.embedder, model, text)
    except NotInstalledError:
        if model == wanted:
            raise
        log.warning(
            "The former embedding model is gone: some passages are found by words only",
            extra={"fields": {"model": model}},
        )
        return wanted, True, embed_question(dependencies.embedder, wanted, text)


def load_current(dependencies: Dependencies, stopped: threading.Event) -> None:
    """Load the words of the current passages, so that the first question does not wait for it.

    Where the database cannot be used yet, it is tried again, until it succeeds or the application stops.
    """
    while not stopped.is_set():
        try:
            with dependencies.pool.connection() as connection:
                visible = visible_versions(connection, None)
            began = time.monotonic()
            dependencies.passages.view(visible.ids, None, visible.named, visible.state)
            log.info("Words loaded", extra={"fields": {"seconds": round(time.monotonic() - began, 1)}})
            return
        except UnavailableError as error:
            log.info("Words are loaded later", extra={"fields": {"reason": str(error)}})
            stopped.wait(LOAD_AGAIN_S)


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def past_of(results: Results) -> Past | None:
    """Return the time that was asked about, None for now."""
    return Past.model_validate(results.past, from_attributes=True) if results.past else None
