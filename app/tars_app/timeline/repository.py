# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents by their names, their versions, and the passages of a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.model import NO_PAGE
from tars_app.kit.errors import RefusedError
from tars_app.timeline.schemas import History, PathEntry, Version

MOST_CANDIDATES = 10

# The best match first: the id, the path with its share, the path, the name of the file, then paths of the past.
_DOCUMENTS = """
SELECT id, source, path, rank FROM (
    SELECT d.id, d.source, d.path, d.deleted_at, CASE
        WHEN d.id::text = lower(%(name)s) THEN 0
        WHEN %(name)s IN (d.source || '/' || d.path, d.path) THEN 1
        WHEN right(d.path, length(%(name)s) + 1) = '/' || %(name)s THEN 2
        WHEN EXISTS (SELECT FROM document_paths h WHERE h.document_id = d.id
                     AND (%(name)s IN (d.source || '/' || h.path, h.path)
                          OR right(h.path, length(%(name)s) + 1) = '/' || %(name)s)) THEN 3
        END + CASE WHEN d.deleted_at IS NULL THEN 0 ELSE 10 END AS rank
    FROM documents d) AS ranked
WHERE rank IS NOT NULL ORDER BY rank, source, path LIMIT %(limit)s
"""
_VERSIONS = """
SELECT v.id AS version_id, v.seen_from AS observed, v.seen_to AS until, v.modified, v.dated,
       nullif(v.dated_by, 'none') AS dated_by, v.state, v.error, v.pages, v.chunks,
       EXISTS (SELECT FROM version_texts t WHERE t.version_id = v.id) AS kept,
       coalesce((SELECT h.path FROM document_paths h WHERE h.document_id = v.document_id
                     AND h.seen_from < coalesce(v.seen_to, 'infinity') ORDER BY h.seen_from DESC LIMIT 1),
                d.path) AS path
FROM versions v JOIN documents d ON d.id = v.document_id WHERE d.id = %s ORDER BY v.seen_from
"""
_PASSAGES = """
SELECT u.hash, p.text, u.ordinal, nullif(u.page, %s) AS page
FROM version_texts t CROSS JOIN LATERAL unnest(t.hashes, t.pages) WITH ORDINALITY AS u (hash, page, ordinal)
JOIN passages p ON p.hash = u.hash WHERE t.version_id = %s ORDER BY u.ordinal
"""


class NoDocumentError(RefusedError):
    """No document has this name or id."""

    code = "no_document"


class SeveralDocumentsError(RefusedError):
    """Several documents have this name."""

    code = "several_documents"
    status = 409


@dataclass(frozen=True)
class PassageOfVersion:
    """A passage and its place in a version: its number, from 1, and its page, None for a text without pages."""

    hash: bytes
    text: str
    ordinal: int
    page: int | None


def find_document(pool: Pool, name: str) -> UUID:
    """Return the document with this id, path (with or without its share) or file name, now or in the past.

    Documents that exist precede deleted ones.

    Raises:
        NoDocumentError: there is none.
        SeveralDocumentsError: there are several that match equally.
    """
    with pool.connection() as connection:
        rows = connection.execute(_DOCUMENTS, {"name": name, "limit": MOST_CANDIDATES}).fetchall()
    if not rows:
        next_step = "Name its path below the share, now or in the past; /api/documents lists the documents."
        raise NoDocumentError(f"document {name!r}: found none with this name, expected a path or an id", next_step)
    best = [row for row in rows if row["rank"] == rows[0]["rank"]]
    if len(best) > 1:
        candidates = [{"document_id": str(row["id"]), "path": f"{row['source']}/{row['path']}"} for row in best]
        listed = ", ".join(candidate["path"] for candidate in candidates)
        message = f"document {name!r}: found {listed}, expected one"
        raise SeveralDocumentsError(message, "Name its path with the share, or its id.", candidates=candidates)
    return UUID(str(best[0]["id"]))


def read_history(pool: Pool, document_id: UUID) -> History:
    """Return all versions and paths of a document on record."""
    with pool.connection() as connection:
        versions = connection.execute(_VERSIONS, (document_id,)).fetchall()
        paths = connection.execute(
            "SELECT path, seen_from AS observed FROM document_paths WHERE document_id = %s ORDER BY seen_from",
            (document_id,),
        ).fetchall()
        [document] = connection.execute(
            "SELECT id AS document_id, source, path, deleted_at AS deleted FROM documents WHERE id = %s", (document_id,)
        ).fetchall()
    return History(
        **document,
        versions=[Version.model_validate(row) for row in versions],
        paths=[PathEntry.model_validate(row) for row in paths],
    )


def history_begins(pool: Pool) -> datetime | None:
    """Return when the first document was observed, None where none was."""
    with pool.connection() as connection:
        [row] = connection.execute("SELECT min(seen_from) AS begins FROM versions").fetchall()
    begins: datetime | None = row["begins"]
    return begins


def read_passages(pool: Pool, version_id: UUID) -> list[PassageOfVersion]:
    """Return the passages of a version, in order."""
    with pool.connection() as connection:
        return [PassageOfVersion(**row) for row in _rows(connection, version_id)]


def _rows(connection: Connection[dict[str, Any]], version_id: UUID) -> list[dict[str, Any]]:
    return connection.execute(_PASSAGES, (NO_PAGE, version_id)).fetchall()
