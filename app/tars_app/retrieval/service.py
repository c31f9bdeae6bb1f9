# SPDX-License-Identifier: GPL-3.0-or-later
"""Hybrid retrieval: full text and vectors, fused, of the versions that are current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tars_app.adapters.ollama import embed
from tars_app.adapters.postgres import Pool
from tars_app.dependencies import Dependencies
from tars_app.documents.model import NO_PAGE
from tars_app.retrieval.fulltext import has_operators, search_text
from tars_app.retrieval.fusion import fuse
from tars_app.retrieval.schemas import EXCERPT_CHARACTERS

CONTEXT_CHARACTERS = 400
"""How much of the page is shown before and after a passage."""

_PASSAGES = """
SELECT c.id AS chunk_id, v.document_id, c.version_id, d.source, d.path, c.page, v.modified, c.text,
       substr(p.text, greatest(1, c.start_offset + 1 - %(context)s), least(c.start_offset, %(context)s)) AS before,
       substr(p.text, c.end_offset + 1, %(context)s) AS after
FROM chunks c
JOIN pages p ON p.version_id = c.version_id AND p.number = c.page
JOIN versions v ON v.id = c.version_id
JOIN documents d ON d.id = v.document_id
WHERE c.id = ANY(%(ids)s) AND (%(phrase)s::text IS NULL OR c.terms @@ websearch_to_tsquery(c.language, %(phrase)s))
"""


@dataclass(frozen=True)
class Passage:
    """A chunk and its place. `page` is None for a text without pages, `score` 0..1."""

    chunk_id: UUID
    document_id: UUID
    version_id: UUID
    source: str
    path: str
    page: int | None
    modified: datetime
    text: str
    before: str
    after: str
    score: float

    @property
    def title(self) -> str:
        """The name of the file."""
        return self.path.rsplit("/", 1)[-1]


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
        {hit.chunk_id: hit.coverage for hit in lexical if hit.coverage >= settings.min_coverage},
        {key: similarity for key, similarity in dense.items() if similarity >= settings.min_similarity},
        candidates,
    )
    scores = {result.key: result.score for result in fused}
    passages = load_passages(dependencies.pool, scores, question if has_operators(question) else None)
    return [passages[key] for key in scores if key in passages][:limit]


def load_passages(pool: Pool, scores: dict[UUID, float], phrase: str | None = None) -> dict[UUID, Passage]:
    """Return the chunks of these ids that still exist (and match the web search `phrase`)."""
    parameters = {"ids": list(scores), "context": CONTEXT_CHARACTERS, "phrase": phrase}
    with pool.connection() as connection:
        rows: Sequence[dict[str, Any]] = connection.execute(_PASSAGES, parameters).fetchall()
    return {
        row["chunk_id"]: Passage(
            **{**row, "page": None if row["page"] == NO_PAGE else row["page"]}, score=scores[row["chunk_id"]]
        )
        for row in rows
    }


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    return line[: EXCERPT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"


def place(passage: Passage) -> dict[str, object]:
    """Return the fields of `PassagePlace`."""
    names = ("chunk_id", "document_id", "source", "path", "title", "page", "modified")
    return {name: getattr(passage, name) for name in names}
