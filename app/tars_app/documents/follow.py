# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Chroma follow PostgreSQL: it holds the vectors of the searchable passages, and nothing else.

Each transaction that changes which these are notes it in `volatile.vector_changes`. The notes may be lost with a crash,
and Chroma with its folder; a comparison of all ids finds either. Only one session writes to Chroma at a time, so that
what it writes is never older than what another one wrote.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from tars_app.adapters.ollama import embed_passages
from tars_app.adapters.postgres import FOLLOW_LOCK, Pool, try_lock
from tars_app.dependencies import Dependencies
from tars_app.documents.tombstones import hold_off
from tars_app.documents.vectors import pack, unpack, write_vectors

log = logging.getLogger(__name__)

EMBED_BATCH = 32
"""Texts per call of the embedding model."""
EMBED_SLICE_S = 300.0
"""Computing vectors that are missing is interrupted after this, so that the shares are read meanwhile."""
_BATCH = 1000

EXPECTED = "FROM passages p JOIN vectors v ON v.hash = p.hash AND v.model = %s WHERE p.searchable"
"""What Chroma has to hold of an embedding model."""


def follow_changes(dependencies: Dependencies) -> int:
    """Write the changes that are noted to Chroma; return how many. Does nothing while another session does it.

    Raises:
        UnavailableError: a store cannot be used. The notes are kept.
    """
    written = 0
    while _noted(dependencies.pool, 1):  # again, as another session may have noted one before the lock was released
        with try_lock(dependencies.pool, FOLLOW_LOCK) as held:
            if not held:
                break
            written += _write_noted(dependencies)
    return written


def _write_noted(dependencies: Dependencies) -> int:
    written = 0
    while notes := _noted(dependencies.pool, _BATCH):
        _write(dependencies, list({value for _, value in notes}))
        with dependencies.pool.connection() as connection:
            positions = [position for position, _ in notes]
            connection.execute("DELETE FROM volatile.vector_changes WHERE position = ANY(%s)", (positions,))
        written += len(notes)
    return written


def _noted(pool: Pool, limit: int) -> list[tuple[int, bytes]]:
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT position, hash FROM volatile.vector_changes ORDER BY position LIMIT %s", (limit,)
        ).fetchall()
    return [(row["position"], row["hash"]) for row in rows]


def _write(dependencies: Dependencies, hashes: Sequence[bytes]) -> None:
    """Write the vectors of those passages that Chroma has to hold, and remove those of the others."""
    with dependencies.pool.connection() as connection:
        rows = connection.execute(
            f"SELECT p.hash, v.embedding {EXPECTED} AND p.hash = ANY(%s)",
            (dependencies.settings.embedding_model, list(hashes)),
        ).fetchall()
    dependencies.vectors.add([row["hash"] for row in rows], (unpack(row["embedding"]) for row in rows))
    held = {row["hash"] for row in rows}
    dependencies.vectors.remove(value.hex() for value in hashes if value not in held)


def embed_missing(dependencies: Dependencies, progress: Callable[[], None]) -> bool:
    """Compute the vectors of passages that have none, as after a change of the model: first of the searchable ones.

    Those of superseded passages are needed by questions about the past. A passage on which the embedding model fails is
    left without a vector. Returns False where some are left to compute after `EMBED_SLICE_S`.

    Raises:
        UnavailableError: a store or the embedding model cannot be used. What was computed before is kept.
    """
    ends = time.monotonic() + EMBED_SLICE_S
    return all(_embed_missing(dependencies, searchable, progress, ends) for searchable in (True, False))


def _embed_missing(dependencies: Dependencies, searchable: bool, progress: Callable[[], None], ends: float) -> bool:
    model, last = dependencies.settings.embedding_model, b""
    while rows := _without_vector(dependencies.pool, model, searchable, last):
        last = rows[-1][0]
        vectors = embed_passages(dependencies.embedder, model, [text for _, text in rows])
        usable = {value: pack(vector) for (value, _), vector in zip(rows, vectors, strict=True) if vector is not None}
        with dependencies.pool.connection() as connection:
            hold_off(connection)
            write_vectors(connection, model, usable)
            connection.execute("INSERT INTO volatile.vector_changes (hash) SELECT unnest(%s::bytea[])", (list(usable),))
        follow_changes(dependencies)
        progress()
        if time.monotonic() >= ends:
            return False
    return True


def _without_vector(pool: Pool, model: str, searchable: bool, after: bytes) -> list[tuple[bytes, str]]:
    with pool.connection() as connection:
        rows = connection.execute(
            f"""SELECT p.hash, concat_ws(E'\\n', nullif(p.header, ''), p.text) AS text FROM passages p
               WHERE {"" if searchable else "NOT"} p.searchable AND p.hash > %s
                   AND NOT EXISTS (SELECT FROM vectors v WHERE v.hash = p.hash AND v.model = %s)
               ORDER BY p.hash LIMIT %s""",  # noqa: S608  a constant, so that the planner uses the partial index
            (after, model, EMBED_BATCH),
        ).fetchall()
    return [(row["hash"], row["text"]) for row in rows]


def in_line(dependencies: Dependencies) -> bool:
    """Count the vectors in Chroma, record the count for /ready and /metrics, and return whether it is as expected.

    The first time, the model that most passages have a vector of is recorded as the one that answers.
    """
    with dependencies.pool.connection() as connection:
        row = connection.execute(
            """INSERT INTO volatile.vector_index (passages, expected, present, model)
               SELECT count(*), count(v.hash), %(present)s,
                      CASE WHEN EXISTS (SELECT FROM volatile.vector_index) THEN '' ELSE coalesce((
                          SELECT o.model FROM vectors o JOIN passages q ON q.hash = o.hash WHERE q.searchable
                          GROUP BY o.model ORDER BY count(*) DESC, o.model <> %(model)s LIMIT 1), %(model)s) END
               FROM passages p LEFT JOIN vectors v ON v.hash = p.hash AND v.model = %(model)s WHERE p.searchable
               ON CONFLICT (id) DO UPDATE
                   SET passages = excluded.passages, expected = excluded.expected, present = excluded.present
               RETURNING expected = present AS equal""",
            {"present": dependencies.vectors.count(), "model": dependencies.settings.embedding_model},
        ).fetchone()
    return bool(row and row["equal"])


def answer_with_new_vectors(dependencies: Dependencies) -> None:
    """Answer from the vectors of the embedding model that is set, now that the passages have them."""
    model = dependencies.settings.embedding_model
    with dependencies.pool.connection() as connection:
        row = connection.execute(
            """UPDATE volatile.vector_index i SET model = %s FROM (SELECT model FROM volatile.vector_index) AS former
               WHERE i.model <> %s RETURNING former.model""",
            (model, model),
        ).fetchone()
    if row:
        log.info("Questions use another embedding model", extra={"fields": {"former": row["model"], "model": model}})


def compare(dependencies: Dependencies, progress: Callable[[], None]) -> None:
    """Compare all ids in Chroma with PostgreSQL, add what is missing, and remove what does not belong there.

    A collection of which most does not belong there is created again.

    Raises:
        UnavailableError: a store cannot be used.
    """
    with try_lock(dependencies.pool, FOLLOW_LOCK, wait=True):
        present = dependencies.vectors.ids()
        expected = _expected(dependencies)
        foreign = sorted(set(present) - {value.hex() for value in expected})
        if 2 * len(foreign) > len(present):
            dependencies.vectors.clear()
            present = []
        else:
            for start in range(0, len(foreign), _BATCH):
                dependencies.vectors.remove(foreign[start : start + _BATCH])
        held = set(present)
        missing = [value for value in expected if value.hex() not in held]
        for start in range(0, len(missing), _BATCH):
            _record_present(dependencies.pool, len(expected) - len(missing) + start)
            _write(dependencies, missing[start : start + _BATCH])
            progress()
    dropped = dependencies.vectors.drop_other_models()
    if missing or foreign or dropped:
        fields = {"added": len(missing), "removed": len(foreign), "collections_dropped": dropped}
        log.info("Chroma brought in line", extra={"fields": fields})


def _expected(dependencies: Dependencies) -> list[bytes]:
    with dependencies.pool.connection() as connection:
        rows = connection.execute(
            f"SELECT p.hash {EXPECTED} ORDER BY p.hash",
            (dependencies.settings.embedding_model,),
        ).fetchall()
    return [row["hash"] for row in rows]


def _record_present(pool: Pool, present: int) -> None:
    with pool.connection() as connection:
        connection.execute("UPDATE volatile.vector_index SET present = %s", (present,))
