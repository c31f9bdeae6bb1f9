# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of sources, documents and versions in PostgreSQL.

Each function is one transaction. It raises UnavailableError where the database cannot be used, and psycopg.Error where
the database refuses the statement. A document is a path in a source (a share), and keeps its id when it is renamed. A
version is one content
of it, with the time from and to which it was seen. Nothing is overwritten: a change closes a version, a deletion leaves
a tombstone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.model import FileObservation, KnownDocument, plausible_time
from tars_app.kit.text import storable

LOST_AFTER = "15 minutes"
"""A queued version that is still waiting after this is queued again: its message may have been lost with the queue."""


def note_source(pool: Pool, name: str, root: Path, available: bool, detail: str | None) -> None:
    """Record whether a source answers, and what cannot be read in it."""
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO sources (name, root, available, detail, scanned_at) VALUES (%s, %s, %s, %s, now())
               ON CONFLICT (name) DO UPDATE SET root = excluded.root, available = excluded.available,
                   detail = excluded.detail, scanned_at = excluded.scanned_at""",
            (name, str(root), available, detail and storable(detail)),
        )


def source_roots(pool: Pool) -> dict[str, Path]:
    """Return every source ever seen, with its folder."""
    with pool.connection() as connection:
        return {row["name"]: Path(row["root"]) for row in connection.execute("SELECT name, root FROM sources")}


def living(pool: Pool, source: str) -> dict[str, KnownDocument]:
    """Return the documents of a source that are not deleted, by path."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT d.path, d.id, d.size, d.mtime_ns, v.sha256
               FROM documents d LEFT JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
               WHERE d.source = %s AND d.deleted_at IS NULL""",
            (source,),
        )
        return {
            row["path"]: KnownDocument(
                row["id"], row["size"], None if row["mtime_ns"] is None else int(row["mtime_ns"]), row["sha256"]
            )
            for row in rows
        }


def observe(pool: Pool, source: str, path: str, document_id: UUID | None, observation: FileObservation) -> None:
    """Record the observation of a path: a new document (or a deleted one again), a new version, or no change."""
    modified, time_note = plausible_time(observation.file.mtime_ns, datetime.now(UTC))
    error = observation.error and storable(observation.error)
    with pool.connection() as connection:
        if document_id is None:
            document_id = _create_or_revive(connection, source, path)
        current = connection.execute(
            "SELECT id, sha256, error FROM versions WHERE document_id = %s AND seen_to IS NULL FOR UPDATE",
            (document_id,),
        ).fetchone()
        if current and current["sha256"] == observation.sha256 and (observation.sha256 or current["error"] == error):
            connection.execute(
                "UPDATE versions SET modified = %s, time_note = %s, size = %s WHERE id = %s",
                (modified, time_note, observation.file.size, current["id"]),
            )
        else:
            if current:
                connection.execute("UPDATE versions SET seen_to = now() WHERE id = %s", (current["id"],))
            state = "failed" if error else "pending"
            connection.execute(
                """INSERT INTO versions (document_id, sha256, size, modified, time_note, state, error)
                   VALUES (%s, %s, %s, %s, %s, %s, %s)""",
                (document_id, observation.sha256, observation.file.size, modified, time_note, state, error),
            )
        connection.execute(
            "UPDATE documents SET size = %s, mtime_ns = %s WHERE id = %s",
            (observation.file.size, observation.file.mtime_ns if observation.settled else None, document_id),
        )


def _create_or_revive(connection: Connection[dict[str, Any]], source: str, path: str) -> UUID:
    rows = connection.execute(
        """UPDATE documents SET deleted_at = NULL WHERE id = (
               SELECT id FROM documents WHERE source = %s AND md5(path) = md5(%s) AND path = %s
               AND deleted_at IS NOT NULL ORDER BY deleted_at DESC LIMIT 1)
           RETURNING id""",
        (source, path, path),
    ).fetchall()
    if not rows:
        insert = "INSERT INTO documents (source, path) VALUES (%s, %s) RETURNING id"
        rows = connection.execute(insert, (source, path)).fetchall()
    return UUID(str(rows[0]["id"]))


def rename(pool: Pool, document_id: UUID, path: str) -> None:
    """Record that a document has another path now."""
    with pool.connection() as connection:
        connection.execute("UPDATE documents SET path = %s WHERE id = %s", (path, document_id))


def retire(pool: Pool, document_id: UUID) -> None:
    """Keep the document of a deleted file as a tombstone, and remove it from the index."""
    with pool.connection() as connection:
        connection.execute("SELECT FROM documents WHERE id = %s FOR UPDATE", (document_id,))
        drop_index(connection, document_id)
        connection.execute(
            "UPDATE versions SET seen_to = now() WHERE document_id = %s AND seen_to IS NULL", (document_id,)
        )
        connection.execute("UPDATE documents SET deleted_at = now() WHERE id = %s", (document_id,))


def drop_index(connection: Connection[dict[str, Any]], document_id: UUID) -> None:
    """Remove pages and chunks of every version of a document, and leave their vectors to be removed."""
    connection.execute(
        """INSERT INTO unclaimed_vectors (chunk_id, remove_after)
           SELECT c.id, now() FROM chunks c JOIN versions v ON v.id = c.version_id WHERE v.document_id = %s
           ON CONFLICT (chunk_id) DO UPDATE SET remove_after = excluded.remove_after""",
        (document_id,),
    )
    connection.execute(
        "DELETE FROM pages USING versions v WHERE v.id = pages.version_id AND v.document_id = %s", (document_id,)
    )


def waiting(pool: Pool) -> list[UUID]:
    """Return the versions to read of sources that answer: those not queued yet, or queued too long ago."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT v.id FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
               WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL AND s.available
                 AND (v.queued_at IS NULL OR v.queued_at < now() - %s::interval)
               ORDER BY v.seen_from""",
            (LOST_AFTER,),
        )
        return [row["id"] for row in rows]


def note_queued(pool: Pool, version_id: UUID) -> None:
    """Record that the version's message is in the queue."""
    with pool.connection() as connection:
        connection.execute("UPDATE versions SET queued_at = now() WHERE id = %s", (version_id,))


def forget_queued(pool: Pool) -> None:
    """Mark every waiting version as not queued: the last worker may have died while reading it. Twice does no harm."""
    with pool.connection() as connection:
        connection.execute("UPDATE versions SET queued_at = NULL WHERE state = 'pending' AND seen_to IS NULL")
