# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots on record, and the record of a share as a whole, in PostgreSQL.

Each function is one transaction. It raises UnavailableError where the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.model import Task
from tars_app.documents.recorded_paths import place_at, rebase
from tars_app.documents.repository import LOST_AFTER
from tars_app.documents.tombstones import hold_off, last_number, load_forgotten
from tars_app.kit.text import storable
from tars_app.snapshots.record import Content, Document, PathEntry, Record, Version

# Every column of a version, but for its times and the snapshot in which it was seen.
_COPIED = "document_id, sha256, size, modified, time_note, state, error, pages, chunks, index_note, dated, dated_by"
_COPY_VERSIONS = f"""
INSERT INTO versions (id, seen_from, seen_to, snapshot, {_COPIED})
SELECT n.id, n.seen_from, n.seen_to, n.snapshot, {", ".join(f"v.{column}" for column in _COPIED.split(", "))}
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::uuid[])
    AS n (id, seen_from, seen_to, snapshot, copy_of)
JOIN versions v ON v.id = n.copy_of
"""  # noqa: S608  constants
_COPY_TEXTS = """
INSERT INTO version_texts (version_id, hashes, pages, labels, before, after)
SELECT n.id, t.hashes, t.pages, t.labels, t.before, t.after
FROM unnest(%s::uuid[], %s::uuid[]) AS n (id, copy_of) JOIN version_texts t ON t.version_id = n.copy_of
"""

_COPY_SCANS = """
WITH pages AS (
    INSERT INTO recognized_pages (version_id, page, text, boxes, error)
    SELECT n.id, p.page, p.text, p.boxes, p.error
    FROM unnest(%(ids)s::uuid[], %(copies_of)s::uuid[]) AS n (id, copy_of)
    JOIN recognized_pages p ON p.version_id = n.copy_of)
INSERT INTO recognitions (version_id, scanned, remaining, pages, date, dated_by, notes)
SELECT n.id, r.scanned, r.remaining, r.pages, r.date, r.dated_by, r.notes
FROM unnest(%(ids)s::uuid[], %(copies_of)s::uuid[]) AS n (id, copy_of) JOIN recognitions r ON r.version_id = n.copy_of
"""

_DOCUMENTS = """
SELECT d.id, d.source, d.path FROM documents d
WHERE d.source = %(source)s OR EXISTS (
    SELECT FROM document_paths h
    WHERE h.document_id = d.id AND starts_with(h.path, concat('/', %(source)s::text, '/')))
ORDER BY d.id
"""
IMPORTED = "imported"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a share, with its time and its state as in the table volatile.snapshots."""

    name: str
    taken: datetime | None
    state: str
    detail: str | None = None


@dataclass(frozen=True)
class Period:
    """A time at which a share was not scanned; `since` is None where no scan precedes it."""

    since: datetime | None
    until: datetime


def known_snapshots(pool: Pool, source: str) -> dict[str, Snapshot]:
    """Return the snapshots of a share on record, by name."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT name, taken, state, detail FROM volatile.snapshots WHERE source = %(source)s
               UNION ALL SELECT name, taken, 'imported', detail FROM snapshots WHERE source = %(source)s""",
            {"source": source},
        )
        return {row["name"]: Snapshot(**row) for row in rows}  # an imported one replaces its note


def note_snapshots(pool: Pool, source: str, snapshots: Sequence[Snapshot]) -> None:
    """Note the states of all snapshots of a share."""
    with pool.connection() as connection:
        connection.execute(
            "DELETE FROM volatile.snapshots WHERE source = %s AND name <> ALL(%s)",
            (source, [snapshot.name for snapshot in snapshots]),
        )
        _note(connection, source, snapshots)


def _note(connection: Connection[dict[str, Any]], source: str, snapshots: Iterable[Snapshot]) -> None:
    rows = [{"source": source, **asdict(snapshot)} for snapshot in snapshots]
    for row in rows:
        row["detail"] = row["detail"] and storable(row["detail"])
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO volatile.snapshots (source, name, taken, state, detail)
               VALUES (%(source)s, %(name)s, %(taken)s, %(state)s, %(detail)s)
               ON CONFLICT (source, name) DO UPDATE
                   SET taken = excluded.taken, state = excluded.state, detail = excluded.detail
                   WHERE (snapshots.*) IS DISTINCT FROM (excluded.*)""",
            rows,
        )


def unwatched(pool: Pool, source: str) -> list[Period]:
    """Return when a share was not scanned. A time that is in the future, as the clock was set back, is left out."""
    with pool.connection() as connection:
        rows = connection.execute(
            "SELECT nullif(since, '-infinity') AS since, until FROM unwatched WHERE source = %s AND until <= now()",
            (source,),
        ).fetchall()
    return [Period(**row) for row in rows]


def kept_since(pool: Pool) -> datetime | None:
    """Return the time before which versions were removed, None if none was."""
    with pool.connection() as connection:
        row = connection.execute("SELECT kept_since FROM version_retention").fetchone()
    moment: datetime | None = row["kept_since"] if row else None
    return moment


def live_work_waits(pool: Pool) -> bool:
    """Return whether a version of the shares as they are now is waiting to be read."""
    with pool.connection() as connection:
        row = connection.execute(
            """SELECT FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
               WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL AND s.available
                 AND NOT EXISTS (SELECT FROM recognitions r WHERE r.version_id = v.id) LIMIT 1"""
        ).fetchone()
    return row is not None


def load_record(pool: Pool, source: str) -> Record:
    """Return the record of a share: of the documents that are in it, or have been."""
    with pool.connection() as connection:
        documents = {
            row["id"]: Document(
                rebase(row["path"], row["source"], source),
                document_id=row["id"],
                is_new=False,
                moved_to=None if row["source"] == source else row["source"],
            )
            for row in connection.execute(_DOCUMENTS, {"source": source})
        }
        ids = list(documents)
        for row in connection.execute(
            """SELECT v.id, v.document_id, v.sha256, v.error, v.size, v.modified, v.time_note, v.seen_from, v.seen_to,
                      v.snapshot
               FROM versions v WHERE v.document_id = ANY(%s) ORDER BY v.seen_from""",
            (ids,),
        ):
            content = Content(row["sha256"], row["error"], row["size"], row["modified"], row["time_note"])
            documents[row["document_id"]].versions.append(
                Version(content, row["seen_from"], row["seen_to"], row["snapshot"], row["id"], is_new=False)
            )
        for row in connection.execute(
            "SELECT document_id, seen_from, path FROM document_paths WHERE document_id = ANY(%s) ORDER BY seen_from",
            (ids,),
        ):
            document = documents[row["document_id"]]
            path = rebase(row["path"], document.moved_to or source, source)
            document.paths.append(PathEntry(row["seen_from"], path, row["seen_from"]))
        imported = connection.execute("SELECT taken, name FROM snapshots WHERE source = %s", (source,)).fetchall()
        forgotten = load_forgotten(connection)
    return Record(list(documents.values()), {row["taken"]: row["name"] for row in imported}, forgotten)


def save_record(pool: Pool, source: str, record: Record, tried: Sequence[Snapshot]) -> bool:
    """Write what has changed in the record of a share, and which snapshots were imported, in one transaction.

    Returns False, and changes nothing, where a document was forgotten since the record was loaded.
    """
    with pool.connection() as connection:
        hold_off(connection)
        if last_number(connection) != record.forgotten.number:
            return False
        _add_documents(connection, source, [document for document in record.documents if document.is_new])
        _change_versions(connection, record)
        _add_versions(connection, record)
        _write_paths(connection, source, record)
        # The time of the deletion of a document is the end of its last version.
        connection.execute(
            """UPDATE documents d SET deleted_at = last.seen_to
               FROM (SELECT document_id, max(seen_to) AS seen_to FROM versions WHERE document_id = ANY(%s)
                     GROUP BY document_id) AS last
               WHERE d.id = last.document_id AND d.deleted_at <> last.seen_to""",
            ([document.document_id for document in record.documents if _touched(document)],),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO snapshots (source, name, taken, detail) VALUES (%s, %s, %s, %s)",
                [(source, new.name, new.taken, new.detail) for new in tried if new.state == IMPORTED],
            )
        _note(connection, source, tried)
    return True


def _touched(document: Document) -> bool:
    return any(version.is_new or version.is_changed for version in document.versions)


def _add_documents(connection: Connection[dict[str, Any]], source: str, documents: Sequence[Document]) -> None:
    """Add documents that exist in the past alone."""
    connection.execute(
        """INSERT INTO documents (id, source, path, deleted_at)
           SELECT id, %s, path, deleted_at FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[])
               AS new (id, path, deleted_at)""",
        (
            source,
            [document.document_id for document in documents],
            [document.path for document in documents],
            [document.versions[-1].seen_to for document in documents],
        ),
    )


def _change_versions(connection: Connection[dict[str, Any]], record: Record) -> None:
    changed = [
        version
        for document in record.documents
        for version in document.versions
        if version.is_changed and not version.is_new
    ]
    connection.execute(
        """UPDATE versions v SET seen_from = new.seen_from, seen_to = new.seen_to, snapshot = new.snapshot
           FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::text[])
               AS new (id, seen_from, seen_to, snapshot)
           WHERE v.id = new.id""",
        (
            [version.version_id for version in changed],
            [version.seen_from for version in changed],
            [version.seen_to for version in changed],
            [version.snapshot for version in changed],
        ),
    )


def _add_versions(connection: Connection[dict[str, Any]], record: Record) -> None:
    rows = [
        (document.document_id, version)
        for document in record.documents
        for version in document.versions
        if version.is_new
    ]
    copies = [version for _, version in rows if version.copy_of]
    connection.execute(
        _COPY_VERSIONS,
        (
            [version.version_id for version in copies],
            [version.seen_from for version in copies],
            [version.seen_to for version in copies],
            [version.snapshot for version in copies],
            [version.copy_of for version in copies],
        ),
    )
    connection.execute(
        _COPY_TEXTS, ([version.version_id for version in copies], [version.copy_of for version in copies])
    )
    connection.execute(
        _COPY_SCANS,
        {
            "ids": [version.version_id for version in copies],
            "copies_of": [version.copy_of for version in copies],
        },
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO versions (id, document_id, sha256, size, modified, time_note, state, error, seen_from,
                   seen_to, snapshot)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (
                    version.version_id,
                    document_id,
                    version.content.sha256,
                    version.content.size,
                    version.content.modified,
                    version.content.time_note,
                    "pending" if version.content.sha256 else "failed",
                    version.content.error,
                    version.seen_from,
                    version.seen_to,
                    version.snapshot,
                )
                for document_id, version in rows
                if not version.copy_of
            ],
        )


def _write_paths(connection: Connection[dict[str, Any]], source: str, record: Record) -> None:
    """Move first paths back, and add new ones."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE document_paths SET seen_from = %s WHERE document_id = %s AND seen_from = %s",
            [
                (entry.seen_from, document.document_id, entry.recorded)
                for document in record.documents
                for entry in document.paths
                if entry.recorded and entry.recorded != entry.seen_from
            ],
        )
        cursor.executemany(
            "INSERT INTO document_paths (document_id, path, seen_from) VALUES (%s, %s, %s)",
            [
                (document.document_id, rebase(entry.path, source, document.moved_to or source), entry.seen_from)
                for document in record.documents
                for entry in document.paths
                if entry.recorded is None
            ],
        )


def waiting_earlier(pool: Pool, limit: int) -> list[UUID]:
    """Return versions to read from snapshots of sources that answer, the latest first.

    These are not queued, or so long ago that their messages may be lost. Including those that are, it is `limit`.
    """
    with pool.connection() as connection:
        rows = connection.execute(
            """WITH fresh AS (SELECT version_id FROM volatile.queued WHERE queued_at > now() - %(lost_after)s::interval)
               SELECT v.id FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
               WHERE v.state = 'pending' AND v.seen_to IS NOT NULL AND v.snapshot IS NOT NULL AND s.available
                 AND v.id NOT IN (SELECT version_id FROM fresh)
                 AND NOT EXISTS (SELECT FROM recognitions r WHERE r.version_id = v.id)
               ORDER BY v.seen_from DESC LIMIT greatest(0, %(limit)s - (SELECT count(*) FROM fresh))""",
            {"limit": limit, "lost_after": LOST_AFTER},
        ).fetchall()
    return [row["id"] for row in rows]


@dataclass(frozen=True)
class Place:
    """A file in an imported snapshot of the share that is mounted at `root`."""

    root: Path
    snapshot: str
    path: str


def start_earlier(pool: Pool, version_id: UUID) -> tuple[Task, list[Place]] | None:
    """Count an attempt to read a version from a snapshot; return it, and where it was seen, the latest first.

    Returns None where it is the current version of its document, or done.
    """
    with pool.connection() as connection:
        row = connection.execute(
            """UPDATE versions v SET attempts = v.attempts + 1
               FROM documents d JOIN sources s ON s.name = d.source
               WHERE d.id = v.document_id AND v.id = %s
                 AND v.state = 'pending' AND v.seen_to IS NOT NULL AND v.snapshot IS NOT NULL
               RETURNING v.id AS version_id, d.id AS document_id, s.root, d.path, v.sha256, v.seen_from,
                         v.attempts, v.error""",
            (version_id,),
        ).fetchone()
        places = _places(connection, version_id)
    if row is None:
        return None
    path = places[0].path if places else row["path"]
    return Task(**{**row, "root": Path(row["root"]), "path": path}, earlier=True), places


def places_of(pool: Pool, version_id: UUID) -> list[Place]:
    """Return where a version of the past was seen, the latest first."""
    with pool.connection() as connection:
        return _places(connection, version_id)


def _places(connection: Connection[dict[str, Any]], version_id: UUID) -> list[Place]:
    rows = connection.execute(
        f"""SELECT s.root, n.name AS snapshot, place.path
               FROM versions v JOIN documents d ON d.id = v.document_id
               CROSS JOIN snapshots n CROSS JOIN LATERAL {place_at("n.taken")} AS place
               JOIN sources s ON s.name = n.source
               WHERE v.id = %s AND n.source = place.source AND v.seen_from <= n.taken AND n.taken < v.seen_to
               ORDER BY n.taken DESC""",  # noqa: S608  constants
        (version_id,),
    ).fetchall()
    return [Place(Path(row["root"]), row["snapshot"], row["path"]) for row in rows]


def list_snapshots(pool: Pool) -> list[dict[str, Any]]:
    """Return every snapshot that is noted or was imported, the latest first."""
    with pool.connection() as connection:
        return connection.execute(
            """SELECT source, name, taken, 'imported' AS state, detail FROM snapshots
               UNION ALL
               SELECT source, name, taken, state, detail FROM volatile.snapshots n WHERE NOT EXISTS (
                   SELECT FROM snapshots s WHERE s.source = n.source AND s.name = n.name)
               ORDER BY source, taken DESC NULLS LAST, name"""
        ).fetchall()


def progress_of_shares(pool: Pool) -> list[dict[str, Any]]:
    """Return, for each share with snapshots, how far back it was imported, and how much is left."""
    with pool.connection() as connection:
        return connection.execute(
            """WITH shares AS (SELECT source FROM snapshots UNION SELECT source FROM volatile.snapshots)
               SELECT source,
                      (SELECT min(taken) FROM snapshots s WHERE s.source = n.source) AS imported_back_to,
                      (SELECT count(*) FROM snapshots s WHERE s.source = n.source) AS snapshots_imported,
                      (SELECT count(*) FROM volatile.snapshots s WHERE s.source = n.source
                           AND s.state IN ('waiting', 'unreadable')) AS snapshots_left,
                      (SELECT count(*) FROM versions v JOIN documents d ON d.id = v.document_id
                       WHERE d.source = n.source AND v.state = 'pending' AND v.seen_to IS NOT NULL
                           AND v.snapshot IS NOT NULL) AS versions_left
               FROM shares n ORDER BY source"""
        ).fetchall()
