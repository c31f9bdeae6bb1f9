# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a document by its id, its path, or the name of its file, now or in the past."""

from __future__ import annotations

from uuid import UUID

from tars_app.adapters.postgres import Pool
from tars_app.kit.errors import RefusedError

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


class NoDocumentError(RefusedError):
    """No document has this name or id."""

    code = "no_document"


class SeveralDocumentsError(RefusedError):
    """Several documents have this name."""

    code = "several_documents"
    status = 409


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
