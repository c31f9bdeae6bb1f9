# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a document from PostgreSQL: its versions, and the passages and vectors that no other document has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.postgres import FORGET_LOCK, Pool
from tars_app.documents import tombstones
from tars_app.documents.recorded_paths import place_of
from tars_app.documents.repository import answer_from
from tars_app.documents.schemas import Place
from tars_app.forgetting.schemas import Tombstone

MOST_PLACES = 10

_DOCUMENT = """
SELECT d.id, d.source, d.path, d.size, d.mtime_ns, d.deleted_at, count(v.id) AS versions, min(v.seen_from) AS observed
FROM documents d LEFT JOIN versions v ON v.document_id = d.id WHERE d.id = %s GROUP BY d.id
"""
_HASHES = """
SELECT DISTINCT unnest(t.hashes) AS hash FROM version_texts t JOIN versions v ON v.id = t.version_id
WHERE v.document_id = %s
"""
# A join by hash reads the lists of all documents once; array operators would compare every pair.
_SHARED = """
SELECT DISTINCT d.id AS document_id, d.source, d.path, w.hash
FROM version_texts t CROSS JOIN LATERAL unnest(t.hashes) AS w (hash)
JOIN unnest(%(hashes)s::bytea[]) AS own (hash) ON own.hash = w.hash
JOIN versions v ON v.id = t.version_id JOIN documents d ON d.id = v.document_id WHERE d.id <> %(document)s
"""


@dataclass(frozen=True)
class Extent:
    """A document, with the hashes of the passages that it alone has and of those that others have too."""

    row: dict[str, Any]
    own: list[bytes]
    shared: list[bytes]
    shared_with: list[Place]

    @property
    def observed(self) -> datetime | None:
        """When the document was first observed."""
        observed: datetime | None = self.row["observed"]
        return observed


def read_extent(connection: Connection[dict[str, Any]], document_id: UUID) -> Extent | None:
    """Return what a document consists of, None where there is no such document."""
    row = connection.execute(_DOCUMENT, (document_id,)).fetchone()
    if row is None:
        return None
    hashes = [entry["hash"] for entry in connection.execute(_HASHES, (document_id,))]
    others = connection.execute(_SHARED, {"document": document_id, "hashes": hashes}).fetchall()
    shared = {other["hash"] for other in others}
    places = {other["document_id"]: Place(**{name: other[name] for name in Place.model_fields}) for other in others}
    listed = sorted(places.values(), key=lambda place: (place.source, place.path))[:MOST_PLACES]
    return Extent(row, sorted(set(hashes) - shared), sorted(shared), listed)


def remove(pool: Pool, document_id: UUID) -> tuple[Extent, Tombstone] | None:
    """Remove a document in one transaction, and leave its tombstone; None where there is no such document."""
    with pool.connection() as connection:
        # Waits for documents that are being stored: they may contain the same passages.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (FORGET_LOCK,))
        if connection.execute("SELECT FROM documents WHERE id = %s FOR UPDATE", (document_id,)).fetchone() is None:
            return None
        extent = read_extent(connection, document_id)
        if extent is None:
            return None
        answer_from(connection, document_id, None, [])
        tombstone = _leave_tombstone(connection, extent)
        connection.execute("DELETE FROM documents WHERE id = %s", (document_id,))
        connection.execute("DELETE FROM vectors WHERE hash = ANY(%s)", (extent.own,))
        connection.execute("DELETE FROM passages WHERE hash = ANY(%s)", (extent.own,))
        connection.execute("INSERT INTO volatile.vector_changes (hash) SELECT unnest(%s::bytea[])", (extent.own,))
    return extent, tombstone


def _leave_tombstone(connection: Connection[dict[str, Any]], extent: Extent) -> Tombstone:
    document = extent.row
    rows = connection.execute("SELECT sha256 FROM versions WHERE document_id = %s", (document["id"],)).fetchall()
    digests = [tombstones.digest_of(document["source"], document["path"], row["sha256"]) for row in rows]
    # Versions that were never observed may be in snapshots of the NAS, under the paths that the document had.
    paths = connection.execute("SELECT path FROM document_paths WHERE document_id = %s", (document["id"],)).fetchall()
    digests += [tombstones.place_of(*place_of(row["path"], document["source"])) for row in paths]
    tombstone = tombstones.add_tombstone(connection, digests, document["versions"])
    if document["deleted_at"] is None and document["mtime_ns"] is not None:
        status = FileStatus(document["size"], int(document["mtime_ns"]))
        tombstones.note_skipped(connection, tombstones.place_of(document["source"], document["path"]), status)
    return Tombstone(**tombstone)


def list_tombstones(pool: Pool) -> list[Tombstone]:
    """Return what is on record of forgotten documents, the latest first."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT id, forgotten_at, versions, erased_at FROM forgotten ORDER BY number DESC"
        ).fetchall()
    return [Tombstone(**row) for row in rows]


def waiting_for_erasure(pool: Pool) -> list[UUID]:
    """Return the forgotten documents of which the files of the database may still hold something."""
    with pool.connection() as connection:
        return [row["id"] for row in connection.execute("SELECT id FROM forgotten WHERE erased_at IS NULL")]


def note_erased(pool: Pool, ids: list[UUID]) -> None:
    """Record that the files of the database no longer hold anything of these documents."""
    with pool.connection() as connection:
        connection.execute("UPDATE forgotten SET erased_at = now() WHERE id = ANY(%s)", (ids,))
