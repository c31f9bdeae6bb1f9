# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the version that a document is answered from, so that a crash leaves either the old or the new one.

One transaction stores the passages, their vectors and the version, and notes for the follower in Chroma what changes.
Retrieval ignores a vector in Chroma whose passage no living document contains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.dates import NO_DATE, ClaimedDate
from tars_app.documents.passages import PlacedPassage
from tars_app.documents.repository import answer_from
from tars_app.documents.vectors import write_vectors
from tars_app.kit.text import storable
from tars_app.settings import Settings

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
    seen_from: datetime
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
               RETURNING v.id AS version_id, d.id AS document_id, s.root, d.path, v.sha256, v.seen_from,
                         v.attempts, v.error""",
            (version_id,),
        ).fetchone()
    return Task(**{**row, "root": Path(row["root"])}) if row else None


def swap(
    pool: Pool,
    task: Task,
    passages: Sequence[PlacedPassage],
    vectors: Mapping[bytes, Sequence[float]],
    settings: Settings,
    took_s: float,
    note: str | None = None,
    claimed: ClaimedDate | None = None,
) -> bool:
    """Store a version's passages with the vectors they lack, and answer from it. `note` states what is missing.

    Returns False, and changes nothing, where a newer version replaced this one.
    """
    hashes = [passage.hash for passage in passages]
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT v.id FROM documents d JOIN versions v ON v.document_id = d.id
               WHERE d.id = %s AND d.deleted_at IS NULL AND v.id = %s AND v.seen_to IS NULL AND v.state = 'pending'
               FOR UPDATE""",
            (task.document_id, task.version_id),
        ).fetchone()
        if row is None:
            return False
        _add_passages(connection, dict(zip(hashes, passages, strict=True)), settings.text_search)
        write_vectors(connection, settings.embedding_model, vectors)
        connection.execute(
            "INSERT INTO version_texts (version_id, hashes, pages, before, after) VALUES (%s, %s, %s, %s, %s)",
            (
                task.version_id,
                hashes,
                [passage.page for passage in passages],
                [passage.before for passage in passages],
                [passage.after for passage in passages],
            ),
        )
        connection.execute(
            """UPDATE versions SET state = 'indexed', error = NULL, pages = %s, chunks = %s, ingest_s = %s,
                   index_note = %s, dated = %s, dated_by = %s WHERE id = %s""",
            (
                len({passage.page for passage in passages}),
                len(passages),
                took_s,
                note,
                claimed and claimed.date,
                claimed.place if claimed else NO_DATE,
                task.version_id,
            ),
        )
        answer_from(connection, task.document_id, task.version_id, hashes)
    return True


def _add_passages(
    connection: Connection[dict[str, Any]], passages: Mapping[bytes, PlacedPassage], language: str
) -> None:
    """Add the passages that are not on record. These are searchable at once, as a document is answered from them."""
    hashes = sorted(passages)  # all transactions insert in one order, so that none waits for another in a circle
    connection.execute(
        """WITH added AS (
               INSERT INTO passages (hash, text, language, searchable)
               SELECT hash, text, %s::regconfig, true FROM unnest(%s::bytea[], %s::text[]) AS new (hash, text)
               ON CONFLICT (hash) DO NOTHING RETURNING hash)
           INSERT INTO volatile.vector_changes (hash) SELECT hash FROM added""",
        (language, hashes, [passages[value].text for value in hashes]),
    )


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
