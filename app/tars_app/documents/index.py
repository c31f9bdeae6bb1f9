# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the indexed version of a document in both stores, so that a crash leaves either the old or the new one.

The order ensures it. First the ids of the new vectors are recorded as unclaimed, then the vectors are written, then one
transaction claims the ids and replaces the old chunks, whose vectors become unclaimed. Retrieval ignores a vector
without a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from tars_app.adapters.postgres import Pool
from tars_app.documents.chunks import Chunk
from tars_app.documents.model import Page
from tars_app.documents.repository import drop_index
from tars_app.kit.text import storable

LONGEST_INGEST = "3 hours"
"""Vectors that were announced longer ago than this belong to a worker that died."""
MAX_ATTEMPTS = 5
"""A version whose reading failed, or ended the worker, this often in succession is given up."""


@dataclass(frozen=True)
class Task:
    """A version to read. `attempts` includes the current one; `error` is that of the last."""

    version_id: UUID
    document_id: UUID
    root: Path
    path: str
    sha256: str
    attempts: int
    error: str | None


def start_task(pool: Pool, version_id: UUID) -> Task | None:
    """Count an attempt to read a version and return it.

    Returns None where a newer version replaced it, it is done, or its document is deleted.
    """
    with pool.connection() as connection:
        row = connection.execute(
            """UPDATE versions v SET attempts = v.attempts + 1
               FROM documents d JOIN sources s ON s.name = d.source
               WHERE d.id = v.document_id AND v.id = %s
                 AND v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL
               RETURNING v.id AS version_id, d.id AS document_id, s.root, d.path, v.sha256, v.attempts, v.error""",
            (version_id,),
        ).fetchone()
    return Task(**{**row, "root": Path(row["root"])}) if row else None


def announce(pool: Pool, count: int) -> list[UUID]:
    """Return new chunk ids, which are recorded as unclaimed."""
    ids = [uuid4() for _ in range(count)]
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO unclaimed_vectors (chunk_id, remove_after)
               SELECT unnest(%s::uuid[]), now() + %s::interval""",
            (ids, LONGEST_INGEST),
        )
    return ids


def abandon(pool: Pool, ids: Sequence[UUID]) -> None:
    """Mark the vectors of these ids for removal at once."""
    with pool.connection() as connection:
        connection.execute("UPDATE unclaimed_vectors SET remove_after = now() WHERE chunk_id = ANY(%s)", (list(ids),))


def swap(
    pool: Pool,
    task: Task,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    ids: Sequence[UUID],
    language: str,
    took_s: float,
    note: str | None = None,
) -> bool:
    """Make the new chunks visible and remove the old ones. `note` states what is missing from the index.

    Returns False, and changes nothing, where a newer version replaced this one.
    """
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT v.id FROM documents d JOIN versions v ON v.document_id = d.id
               WHERE d.id = %s AND d.deleted_at IS NULL AND v.id = %s AND v.seen_to IS NULL AND v.state = 'pending'
               FOR UPDATE""",
            (task.document_id, task.version_id),
        ).fetchone()
        if row is None:
            return False
        claimed = connection.execute("DELETE FROM unclaimed_vectors WHERE chunk_id = ANY(%s)", (list(ids),)).rowcount
        if claimed != len(ids):
            raise RuntimeError(
                f"version {task.version_id}: {len(ids) - claimed} of {len(ids)} vectors were removed before their "
                "chunks became visible; the document is read again"
            )
        drop_index(connection, task.document_id)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO pages (version_id, number, text) VALUES (%s, %s, %s)",
                [(task.version_id, page.number, page.text) for page in pages],
            )
            cursor.executemany(
                """INSERT INTO chunks (id, version_id, ordinal, page, start_offset, end_offset, text, language)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s::regconfig)""",
                [
                    (chunk_id, task.version_id, ordinal, chunk.page, chunk.start, chunk.end, chunk.text, language)
                    for ordinal, (chunk_id, chunk) in enumerate(zip(ids, chunks, strict=True))
                ],
            )
        connection.execute(
            """UPDATE versions SET state = 'indexed', error = NULL, pages = %s, chunks = %s, ingest_s = %s,
                   index_note = %s WHERE id = %s""",
            (len(pages), len(chunks), took_s, note, task.version_id),
        )
    return True


def fail(pool: Pool, version_id: UUID, error: str) -> None:
    """Record that the version cannot be read; it is not tried again, and the last indexed version stays."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE versions SET state = 'failed', error = %s WHERE id = %s AND state = 'pending'",
            (storable(error), version_id),
        )


def note_waiting(pool: Pool, version_id: UUID, error: str) -> None:
    """Record what the version waits for. The attempt does not count."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE versions SET error = %s, attempts = 0 WHERE id = %s AND state = 'pending'",
            (storable(error), version_id),
        )


def note_error(pool: Pool, version_id: UUID, error: str) -> None:
    """Record how the attempt to read the version failed."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE versions SET error = %s WHERE id = %s AND state = 'pending'", (storable(error), version_id)
        )


def observe_again(pool: Pool, document_id: UUID) -> None:
    """Mark a file that differs from its record for the next pass to read again."""
    with pool.connection() as connection:
        connection.execute("UPDATE documents SET mtime_ns = NULL WHERE id = %s", (document_id,))
