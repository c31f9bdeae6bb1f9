# SPDX-License-Identifier: GPL-3.0-or-later
"""The vectors of passages in PostgreSQL, as little-endian half precision numbers (IEEE 754 binary16)."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from psycopg import Connection

from tars_app.adapters.chroma import LEAST_RECALL
from tars_app.adapters.postgres import Pool

BATCH = 1000
"""Passages or vectors that are written with one statement, of which the client has several copies in memory."""
_FEW = 1000
"""Vectors that Chroma may lack in any case: it has them within seconds."""


def pack(vector: Sequence[float]) -> bytes:
    """Return a vector scaled to length 1, two bytes for each number. Cosine similarity does not depend on the length.

    Raises:
        ValueError: all numbers are 0.
    """
    largest = max(map(abs, vector), default=0.0)
    if largest == 0:
        raise ValueError("a vector of zeros has no direction")
    scaled = [number / largest for number in vector]  # so that the squares of large numbers do not overflow
    length = math.hypot(*scaled)
    return struct.pack(f"<{len(scaled)}e", *(number / length for number in scaled))


def unpack(embedding: bytes) -> tuple[float, ...]:
    """Return the numbers of a packed vector."""
    return struct.unpack(f"<{len(embedding) // 2}e", embedding)


def answering_vectors(connection: Connection[dict[str, Any]], model: str) -> tuple[str, bool]:
    """Return the embedding model whose vectors answer questions, and whether those in Chroma do.

    It is `model`, the one that is set; or after a change the former one, until the passages have vectors of the new
    one. Chroma has those of the model that is set alone, and does not answer while it lacks too many, or where it
    missed too many near passages when the worker last compared it.
    """
    row = connection.execute("SELECT model, expected, present, recall FROM volatile.vector_index").fetchone()
    if row is None:
        return model, True
    is_complete = row["expected"] - row["present"] <= max(_FEW, (1 - LEAST_RECALL) * row["expected"])
    is_near = row["recall"] is None or row["recall"] >= LEAST_RECALL
    return str(row["model"]), row["model"] == model and is_complete and is_near


def without_vector(pool: Pool, model: str, hashes: Collection[bytes]) -> set[bytes]:
    """Return those of the passages that have no vector of this model."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT hash FROM vectors WHERE model = %s AND hash = ANY(%s)", (model, list(hashes))
        ).fetchall()
    return set(hashes) - {row["hash"] for row in rows}


def write_vectors(connection: Connection[dict[str, Any]], model: str, vectors: Mapping[bytes, bytes]) -> None:
    """Add the packed vectors of those passages that are on record. A vector that exists is kept."""
    hashes = sorted(vectors)  # all transactions insert in one order, so that none waits for another in a circle
    for start in range(0, len(hashes), BATCH):
        batch = hashes[start : start + BATCH]
        connection.execute(
            """INSERT INTO vectors (hash, model, embedding) SELECT hash, %s, embedding
               FROM unnest(%s::bytea[], %s::bytea[]) AS new (hash, embedding)
               WHERE EXISTS (SELECT FROM passages p WHERE p.hash = new.hash) ON CONFLICT DO NOTHING""",
            (model, batch, [vectors[value] for value in batch]),
        )
