# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current, or were so at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tars_app.adapters.ollama import embed
from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Past
from tars_app.documents.visible import TimeAsked, visible_versions, words_of
from tars_app.retrieval.fulltext import has_operators
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.places import Passage, load_passages, note_superseded
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS


@dataclass(frozen=True)
class Results:
    """Passages that are evidence, best first, and the time asked about, None for now."""

    passages: list[Passage]
    past: TimeAsked | None = None


def search(dependencies: Dependencies, question: str, limit: int, at: datetime | None = None) -> Results:
    """Return the passages that are evidence for the question, best first: of now, or as they were at a time.

    A search of the past is exact. One of now reads the nearest vectors from Chroma, which are nearly so.

    Raises:
        NoHistoryError: nothing had been observed at that time.
        UnavailableError: a store or the embedding model does not answer. Never an empty list instead.
    """
    settings, index = dependencies.settings, dependencies.passages
    candidates = max(4 * limit, 40)
    visible = visible_versions(dependencies.pool, at)
    vector = embed(dependencies.embedder, settings.embedding_model, [question])[0]
    words, language = words_of(dependencies.pool, question, settings.text_search)
    view = index.view(visible.ids, language)
    lexical = index.lexical(view, words, candidates)
    nearest = (
        dependencies.vectors.nearest(vector, candidates) if at is None else index.nearest(view, vector, candidates)
    )
    fused = fuse(
        {hit.hash: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage},
        {key: similarity for key, similarity in nearest if similarity >= settings.min_similarity},
        candidates,
    )
    scores = {result.key: result.score for result in fused}
    places = index.places(view, scores)
    phrase = question if has_operators(question) else None
    passages = load_passages(dependencies.pool, places, scores, phrase, at)
    best = [passages[key] for key in scores if key in passages][:limit]
    return Results(note_superseded(dependencies.pool, best), visible.past)


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def past_of(results: Results) -> Past | None:
    """Return the time that was asked about, None for now."""
    return Past.model_validate(results.past, from_attributes=True) if results.past else None
