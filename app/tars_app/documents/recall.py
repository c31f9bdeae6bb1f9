# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Chroma returns the nearest passages: it is compared with an exact scan, for a few vectors.

Its index is approximate, and may be damaged so that it answers, holds all ids, and returns others than the nearest.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import Connection

from tars_app.adapters.chroma import LEAST_RECALL
from tars_app.adapters.postgres import FOLLOW_LOCK, try_lock
from tars_app.dependencies import Dependencies
from tars_app.documents.follow import EXPECTED, compare

log = logging.getLogger(__name__)

QUESTIONS, NEAREST = 20, 10
"""How many vectors are looked for, and how many of the nearest passages of each."""
_BATCH = 5000
_EQUAL = 1e-3
"""Similarities that differ by less are equal: the vectors are of half precision in PostgreSQL."""
_SECOND = 0.5
"""Share of another passage's vector: a question is near a passage, and not where it is."""

_SETTLED = f"{EXPECTED} AND NOT EXISTS (SELECT FROM volatile.vector_changes c WHERE c.hash = p.hash)"
_SAMPLE = f"""
SELECT DISTINCT s.hash, s.embedding FROM unnest(%s::bytea[]) AS w (place)
CROSS JOIN LATERAL (SELECT p.hash, v.embedding {_SETTLED} AND p.hash >= w.place ORDER BY p.hash LIMIT 1) s
"""  # noqa: S608  constants
_ALL = f"SELECT p.hash, v.embedding {_SETTLED}"

Matrix = npt.NDArray[np.float32]


def check_recall(dependencies: Dependencies, progress: Callable[[], None], rebuild: bool) -> float:
    """Measure the recall of Chroma and record it for /ready and /metrics; return it.

    Where it is too low, questions are compared with all vectors from then on. With `rebuild`, the collection is created
    again first, filled from PostgreSQL, and measured again.

    Raises:
        UnavailableError: a store cannot be used.
    """
    recall = measure_recall(dependencies)
    if recall < LEAST_RECALL and rebuild:
        log.warning(
            "Chroma misses near passages: its collection is created again", extra={"fields": {"recall": recall}}
        )
        dependencies.vectors.clear()
        compare(dependencies, progress)
        recall = measure_recall(dependencies)
    with dependencies.pool.connection() as connection:
        connection.execute("UPDATE volatile.vector_index SET recall = %s", (recall,))
    return recall


def measure_recall(dependencies: Dependencies) -> float:
    """Return the share (0 to 1) of the passages nearest to vectors like those of questions that Chroma returns.

    All vectors are read. Without passages it is 1.
    """
    model = dependencies.settings.embedding_model
    with try_lock(dependencies.pool, FOLLOW_LOCK, wait=True), dependencies.pool.connection() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        questions = _questions(connection, model)
        if not len(questions):
            return 1.0
        returned = [
            [value for value, _ in dependencies.vectors.nearest(question.tolist(), 2 * NEAREST)]
            for question in questions
        ]
        nearest, similarities = _scan(connection, model, questions, {value for row in returned for value in row})
    hits = 0
    for number, values in enumerate(returned):
        least = nearest[number].min() - _EQUAL
        known = [similarities[value][number] for value in values if value in similarities][: nearest.shape[1]]
        hits += sum(similarity >= least for similarity in known)
    return round(hits / nearest.size, 4)


def _questions(connection: Connection[dict[str, Any]], model: str) -> Matrix:
    """Return vectors near those of passages that are chosen by chance."""
    places = [os.urandom(32) for _ in range(QUESTIONS)]
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_SAMPLE, (places, model)).fetchall()
    if not rows:
        return np.zeros((0, 0), np.float32)
    vectors = _matrix(rows)
    return _scaled(vectors + _SECOND * np.roll(vectors, 1, axis=0))


def _scan(
    connection: Connection[dict[str, Any]], model: str, questions: Matrix, wanted: Collection[bytes]
) -> tuple[Matrix, dict[bytes, Matrix]]:
    """Return the highest similarities of each question, and those of the wanted passages that Chroma has to hold."""
    nearest = np.zeros((len(questions), 0), np.float32)
    similarities: dict[bytes, Matrix] = {}
    with connection.cursor("recall", binary=True) as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_ALL, (model,))
        while rows := cursor.fetchmany(_BATCH):
            values = questions @ _scaled(_matrix(rows)).T
            similarities |= {row["hash"]: values[:, at] for at, row in enumerate(rows) if row["hash"] in wanted}
            nearest = np.concatenate([nearest, values], axis=1)
            nearest = -np.partition(-nearest, min(NEAREST, nearest.shape[1]) - 1, axis=1)[:, :NEAREST]
    return nearest, similarities


def _matrix(rows: Sequence[dict[str, Any]]) -> Matrix:
    return np.frombuffer(b"".join(row["embedding"] for row in rows), "<f2").reshape(len(rows), -1).astype(np.float32)


def _scaled(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Matrix = vectors / np.maximum(lengths, 1e-12)
    return scaled
