# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting one version of a document in place of the last, in both stores, so that a crash leaves the old or the new.

The order makes it so. First the ids of the new vectors go on record as unclaimed, then the vectors are written, then
one transaction takes the ids back and puts the new chunks in place of the old, whose vectors become unclaimed.
Retrieval ignores a vector without a chunk.
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

LONGEST_INGEST = "3 hours"
"""Vectors that were announced longer ago than this belong to a worker that died."""


@dataclass(frozen=True)
class Task:
    """A version that waits to be read."""

    version_id: UUID
    document_id: UUID
    root: Path
    path: str
    sha256: str


def load_task(pool: Pool, version_id: UUID) -> Task | None:
    """What there is to read, or None where the version was overtaken, is done, or its document is gone."""
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT v.id AS version_id, d.id AS document_id, s.root, d.path, v.sha256
               FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
               WHERE v.id = %s AND v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL""",
            (version_id,),
        ).fetchone()
    return Task(**{**row, "root": Path(row["root"])}) if row else None


def announce(pool: Pool, count: int) -> list[UUID]:
    """New chunk ids, on record as unclaimed."""
    ids = [uuid4() for _ in range(count)]
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO unclaimed_vectors (chunk_id, remove_after)
               SELECT unnest(%s::uuid[]), now() + %s::interval""",
            (ids, LONGEST_INGEST),
        )
    return ids


def abandon(pool: Pool, ids: Sequence[UUID]) -> None:
    """The vectors of these ids may be removed at once."""
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
) -> bool:
    """Make the new chunks visible and take the old away. False, and nothing done, where the version was overtaken."""
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
            """UPDATE versions SET state = 'indexed', error = NULL, pages = %s, chunks = %s, ingest_s = %s
               WHERE id = %s""",
            (len(pages), len(chunks), took_s, task.version_id),
        )
    return True


def fail(pool: Pool, version_id: UUID, error: str) -> None:
    """The version cannot be read and is not tried again; what was indexed of the document before stays."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE versions SET state = 'failed', error = %s WHERE id = %s AND state = 'pending'", (error, version_id)
        )


def note_waiting(pool: Pool, version_id: UUID, error: str) -> None:
    """The version could not be read for a reason that passes."""
    with pool.connection() as connection:
        connection.execute("UPDATE versions SET error = %s WHERE id = %s AND state = 'pending'", (error, version_id))


def look_again(pool: Pool, document_id: UUID) -> None:
    """The file is not what its record says: the next round reads it anew."""
    with pool.connection() as connection:
        connection.execute("UPDATE documents SET mtime_ns = NULL WHERE id = %s", (document_id,))
