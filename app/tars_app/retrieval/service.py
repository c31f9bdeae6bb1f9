# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current."""

from __future__ import annotations

from tars_app.adapters.ollama import embed
from tars_app.dependencies import Dependencies
from tars_app.retrieval.fulltext import has_operators, search_text
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.places import Passage, load_passages
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS


def search(dependencies: Dependencies, question: str, limit: int) -> list[Passage]:
    """Return the passages that are evidence for the question, best first.

    Raises:
        UnavailableError: a store or the embedding model does not answer. Never an empty list instead.
    """
    settings = dependencies.settings
    candidates = max(4 * limit, 40)
    vector = embed(dependencies.embedder, settings.embedding_model, [question])[0]
    dense = dict(dependencies.vectors.nearest(vector, candidates))
    lexical = search_text(dependencies.pool, settings.text_search, question, candidates)
    fused = fuse(
        {hit.hash: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage},
        {key: similarity for key, similarity in dense.items() if similarity >= settings.min_similarity},
        candidates,
    )
    scores = {result.key: result.score for result in fused}
    passages = load_passages(dependencies.pool, scores, question if has_operators(question) else None)
    return [passages[key] for key in scores if key in passages][:limit]


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"
