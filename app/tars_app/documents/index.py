# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the version that a document is answered from, so that a crash leaves either the old or the new one.

One transaction stores the passages, their vectors and the version, and notes for the follower in Chroma what changes.
Retrieval ignores a vector in Chroma whose passage no living document contains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents import scans
from tars_app.documents.dates import NO_DATE, ClaimedDate
from tars_app.documents.languages import language_of
from tars_app.documents.model import Task
from tars_app.documents.parsers.model import Parsed
from tars_app.documents.passages import PlacedPassage
from tars_app.documents.repository import answer_from
from tars_app.documents.tombstones import hold_off
from tars_app.documents.vectors import BATCH, write_vectors
from tars_app.kit.text import storable
from tars_app.settings import Settings

MAX_ATTEMPTS = 5
"""A version whose reading failed, or ended the worker, this often in succession is given up."""
_NOTE_STARTED = "UPDATE volatile.queued SET started_at = now() WHERE version_id = %s"
_NOTE_STOPPED = "UPDATE volatile.queued SET started_at = NULL WHERE version_id = %s"


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
        if row:
            connection.execute(_NOTE_STARTED, (version_id,))
    return Task(**{**row, "root": Path(row["root"])}) if row else None


def swap(
    pool: Pool,
    task: Task,
    passages: Sequence[PlacedPassage],
    vectors: Mapping[bytes, bytes],
    settings: Settings,
    took_s: float,
    note: str | None = None,
    claimed: ClaimedDate | None = None,
    parsed: Parsed | None = None,
) -> bool:
    """Store a version's passages with the vectors they lack, and answer from it, unless it is an earlier one.

    `note` states what is missing. The scanned pages of `parsed`, if there are any, are recognised next. Returns False,
    and changes nothing, where a newer version replaced this one.
    """
    with pool.connection() as connection:
        hold_off(connection)
        row = connection.execute(
            """SELECT v.id FROM documents d JOIN versions v ON v.document_id = d.id
               WHERE d.id = %(document)s AND v.id = %(version)s AND v.state = 'pending'
                 AND CASE WHEN %(earlier)s THEN v.seen_to IS NOT NULL
                          ELSE v.seen_to IS NULL AND d.deleted_at IS NULL END
               FOR UPDATE""",
            {"document": task.document_id, "version": task.version_id, "earlier": task.earlier},
        ).fetchone()
        if row is None:
            return False
        _write_text(connection, task.version_id, passages, vectors, settings, searchable=not task.earlier)
        connection.execute(
            """UPDATE versions SET state = 'indexed', error = NULL, pages = %s, chunks = %s, ingest_s = %s,
                   index_note = %s, dated = %s, dated_by = %s WHERE id = %s""",
            (
                _count_pages(passages),
                len(passages),
                took_s,
                note,
                claimed and claimed.date,
                claimed.place if claimed else NO_DATE,
                task.version_id,
            ),
        )
        if not task.earlier:
            answer_from(connection, task.document_id, task.version_id, [passage.hash for passage in passages])
        if parsed and parsed.scanned:
            scans.record(connection, task.version_id, parsed)
        else:
            scans.finish(connection, task.version_id)
    return True


def complete(
    pool: Pool,
    task: Task,
    passages: Sequence[PlacedPassage],
    vectors: Mapping[bytes, bytes],
    settings: Settings,
    note: str | None,
) -> bool:
    """Store the passages of a version again, of which those of its scanned pages had been missing at the end.

    It gets another id, as the text under an id never changes, and can still be opened by the former one. Returns False,
    and changes nothing, where a newer version replaced it, unless it is an earlier one.
    """
    with pool.connection() as connection:
        hold_off(connection)
        row = connection.execute(
            """SELECT gen_random_uuid() AS id, coalesce(d.answered_from = v.id, false) AS is_answered
               FROM versions v JOIN documents d ON d.id = v.document_id
               WHERE d.id = %(document)s AND v.id = %(version)s AND v.state = 'indexed'
                 AND (%(earlier)s OR v.seen_to IS NULL AND d.deleted_at IS NULL)
               FOR UPDATE""",
            {"document": task.document_id, "version": task.version_id, "earlier": task.earlier},
        ).fetchone()
        if row is None:
            return False
        connection.execute("UPDATE documents SET answered_from = NULL WHERE answered_from = %s", (task.version_id,))
        connection.execute("DELETE FROM version_texts WHERE version_id = %s", (task.version_id,))
        connection.execute(
            """UPDATE versions SET id = %s, former_id = id, pages = %s, chunks = %s,
                   index_note = %s WHERE id = %s""",
            (row["id"], _count_pages(passages), len(passages), note, task.version_id),
        )
        _write_text(connection, row["id"], passages, vectors, settings, searchable=row["is_answered"])
        if row["is_answered"]:
            answer_from(connection, task.document_id, row["id"], [passage.hash for passage in passages])
        scans.finish(connection, row["id"])
    return True


def _count_pages(passages: Sequence[PlacedPassage]) -> int:
    return len({passage.page for passage in passages})


def _write_text(
    connection: Connection[dict[str, Any]],
    version_id: UUID,
    passages: Sequence[PlacedPassage],
    vectors: Mapping[bytes, bytes],
    settings: Settings,
    searchable: bool,
) -> None:
    hashes = [passage.hash for passage in passages]
    _add_passages(connection, dict(zip(hashes, passages, strict=True)), searchable)
    write_vectors(connection, settings.embedding_model, vectors)
    connection.execute(
        """INSERT INTO version_texts (version_id, hashes, pages, labels, before, after)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        (
            version_id,
            hashes,
            [passage.page for passage in passages],
            [passage.label for passage in passages],
            [passage.before for passage in passages],
            [passage.after for passage in passages],
        ),
    )


def _add_passages(
    connection: Connection[dict[str, Any]], passages: Mapping[bytes, PlacedPassage], searchable: bool
) -> None:
    """Add the passages that are not on record. They are searchable at once if a document is answered from them."""
    hashes = sorted(passages)  # all transactions insert in one order, so that none waits for another in a circle
    for start in range(0, len(hashes), BATCH):
        batch = [passages[value] for value in hashes[start : start + BATCH]]
        connection.execute(
            """WITH added AS (
                   INSERT INTO passages (hash, text, header, language, language_detected, searchable)
                   SELECT hash, text, header, language::regconfig, true, %s
                   FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[]) AS new (hash, text, header, language)
                   ON CONFLICT (hash) DO NOTHING RETURNING hash)
               INSERT INTO volatile.vector_changes (hash) SELECT hash FROM added""",
            (
                searchable,
                hashes[start : start + BATCH],
                [passage.text for passage in batch],
                [passage.header for passage in batch],
                [language_of(passage.text) for passage in batch],
            ),
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
        connection.execute(_NOTE_STOPPED, (version_id,))


def note_error(pool: Pool, version_id: UUID, error: str) -> None:
    """Record how the attempt to read the version failed."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE versions SET error = %s WHERE id = %s AND state = 'pending'", (storable(error), version_id)
        )
        connection.execute(_NOTE_STOPPED, (version_id,))


def note_done(pool: Pool, version_id: UUID) -> None:
    """Count a version of a share that was read, or cannot be read, for the rate at which files are read."""
    with pool.connection() as connection:
        connection.execute("DELETE FROM volatile.readings WHERE minute < now() - interval '1 hour'")
        connection.execute(
            """INSERT INTO volatile.readings (minute, files, bytes)
               SELECT date_trunc('minute', now()), 1, size FROM versions
               WHERE id = %s AND state <> 'pending' AND snapshot IS NULL
               ON CONFLICT (minute) DO UPDATE
                   SET files = readings.files + 1, bytes = readings.bytes + excluded.bytes""",
            (version_id,),
        )


def observe_again(pool: Pool, document_id: UUID) -> None:
    """Mark a file that differs from its record for the next pass to read again."""
    with pool.connection() as connection:
        connection.execute("UPDATE documents SET mtime_ns = NULL WHERE id = %s", (document_id,))
