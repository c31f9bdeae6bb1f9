# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of sources, documents and versions in PostgreSQL.

Each function is one transaction. It raises UnavailableError where the database cannot be used, and psycopg.Error where
the database refuses the statement. A document is a path in a source (a share), and keeps its id when it is renamed, or
moved to another source. A version is one content of it, with the time from and to which it was seen. Nothing is
overwritten: a change closes a version, a deletion leaves a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import VISIBILITY_LOCK, Pool
from tars_app.documents import tombstones
from tars_app.documents.file_checks import note_check
from tars_app.documents.model import FileObservation, KnownDocument, plausible_time
from tars_app.documents.recorded_paths import rebase
from tars_app.kit.text import storable

LOST_AFTER = "15 minutes"
"""A queued version that is still waiting after this is queued again: its message may have been lost with the queue."""
STUCK_AFTER = "2 hours"
"""A version that is being read for longer (worker.INGEST_LIMIT_MS) is queued again."""
SLOW_SUFFIXES = [".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif"]
"""Endings of the files that take long to read: they may be scans."""
UNWATCHED_AFTER = timedelta(minutes=15)
"""Least time between two scans that counts as one in which a source was not scanned."""

# Where the last scan is not on record, as in a restored database, the last change on record precedes the period. The
# first scan of a source that has versions already was one of a program that did not record such periods, unless these
# are versions of documents that were moved to it.
_NOTE_UNWATCHED = """
INSERT INTO unwatched (source, since, until)
SELECT %(source)s, '-infinity', least(now(), (
    SELECT min(v.seen_from) + interval '1 day' FROM documents d JOIN versions v ON v.document_id = d.id
    WHERE d.source = %(source)s AND NOT EXISTS (
        SELECT FROM document_paths h WHERE h.document_id = d.id AND left(h.path, 1) = '/')))
WHERE NOT EXISTS (SELECT FROM unwatched WHERE source = %(source)s)
UNION ALL
SELECT %(source)s, last.scan, now() FROM (
    SELECT coalesce((SELECT scanned_at FROM volatile.scans WHERE source = %(source)s), (
        SELECT max(greatest(v.seen_from, v.seen_to)) FROM documents d JOIN versions v ON v.document_id = d.id
        WHERE d.source = %(source)s)) AS scan) AS last
WHERE last.scan + %(gap)s < coalesce(%(began)s, now()) AND EXISTS (SELECT FROM unwatched WHERE source = %(source)s)
ON CONFLICT DO NOTHING
"""

_IS_SLOW = "coalesce(lower(substring(d.path from '[.][^./]*$')) = ANY(%(slow_suffixes)s), false)"
_WAITING = f"""
SELECT v.id FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
LEFT JOIN volatile.queued q ON q.version_id = v.id
WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL AND s.available
    AND NOT EXISTS (SELECT FROM recognitions r WHERE r.version_id = v.id)
    AND (%(slow)s::boolean IS NULL OR %(slow)s = {_IS_SLOW})
    AND (q.version_id IS NULL OR q.queued_at < now() - %(lost)s::interval
         AND coalesce(q.started_at < now() - %(stuck)s::interval, true))
ORDER BY coalesce(q.queued_at = '-infinity', false) DESC, v.modified > v.seen_from - interval '1 hour' DESC,
    v.size, v.seen_from
LIMIT %(limit)s
"""  # noqa: S608  constants
_QUEUED = f"""
SELECT count(*) AS count FROM volatile.queued q JOIN versions v ON v.id = q.version_id
JOIN documents d ON d.id = v.document_id
WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL AND %(slow)s = {_IS_SLOW}
    AND (q.started_at IS NOT NULL OR q.queued_at >= now() - %(lost)s::interval)
"""  # noqa: S608  constants


def note_source(pool: Pool, name: str, root: Path, available: bool, detail: str | None) -> None:
    """Record whether a source answers, and what cannot be read in it."""
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO sources (name, root, available, detail) VALUES (%s, %s, %s, %s)
               ON CONFLICT (name) DO UPDATE SET root = excluded.root, available = excluded.available,
                   detail = excluded.detail
               WHERE (sources.*) IS DISTINCT FROM (excluded.*)""",
            (name, str(root), available, detail and storable(detail)),
        )


def note_scan(
    pool: Pool, source: str, began: datetime | None = None, unwatched_after: timedelta = UNWATCHED_AFTER
) -> None:
    """Record that every file of a source has been compared with its record, and deleted ones are retired.

    A scan that is the first one, or `began` so much after the last one, ends a period in which the source was not
    scanned.
    """
    with pool.connection() as connection:
        connection.execute(_NOTE_UNWATCHED, {"source": source, "began": began, "gap": unwatched_after})
        connection.execute(
            """INSERT INTO volatile.scans (source) VALUES (%s)
               ON CONFLICT (source) DO UPDATE SET scanned_at = excluded.scanned_at""",
            (source,),
        )


def source_roots(pool: Pool) -> dict[str, Path]:
    """Return every source ever seen, with its folder."""
    with pool.connection() as connection:
        return {row["name"]: Path(row["root"]) for row in connection.execute("SELECT name, root FROM sources")}


def living(pool: Pool, source: str) -> dict[str, KnownDocument]:
    """Return the documents of a source that are not deleted, by path."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT d.path, d.id, d.size, d.mtime_ns, v.sha256, c.ctime_ns
               FROM documents d LEFT JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
               LEFT JOIN volatile.file_checks c ON c.document_id = d.id
               WHERE d.source = %s AND d.deleted_at IS NULL""",
            (source,),
        )
        return {
            row["path"]: KnownDocument(
                row["id"], row["size"], _integer(row["mtime_ns"]), row["sha256"], _integer(row["ctime_ns"])
            )
            for row in rows
        }


def _integer(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


def observe(
    pool: Pool,
    source: str,
    path: str,
    document_id: UUID | None,
    observation: FileObservation,
    at: datetime | None = None,
) -> None:
    """Record the observation of a path: a new document (or a deleted one again), a new version, or no change.

    `at` is the time of the observation; None: now. A content that was forgotten is not recorded; a document whose file
    has it now is deleted.
    """
    modified, time_note = plausible_time(observation.file.mtime_ns, datetime.now(UTC))
    error = observation.error and storable(observation.error)
    with pool.connection() as connection:
        tombstones.hold_off(connection)
        existing = _existing(connection, document_id) if document_id else None
        if _is_unwanted(connection, source, path, existing, observation):
            if observation.settled:
                tombstones.note_skipped(connection, tombstones.place_of(source, path), observation.file)
            if existing:
                _retire(connection, existing["id"], at)
            return
        known = existing["id"] if existing else _last_at(connection, source, path)
        document_id = known or _create(connection, source, path)
        if known:
            connection.execute(
                "UPDATE documents SET deleted_at = NULL WHERE id = %s AND deleted_at IS NOT NULL", (known,)
            )
        moment = _moment(connection, document_id, at)
        if not known:
            _note_path(connection, document_id, path, moment)
        current = connection.execute(
            "SELECT id, sha256, error FROM versions WHERE document_id = %s AND seen_to IS NULL FOR UPDATE",
            (document_id,),
        ).fetchone()
        if current and current["sha256"] == observation.sha256 and (observation.sha256 or current["error"] == error):
            # A time that cannot be is replaced by the time of the first observation, and stays so.
            connection.execute(
                """UPDATE versions SET modified = CASE WHEN time_note = %(note)s THEN modified ELSE %(modified)s END,
                       time_note = %(note)s, size = %(size)s
                   WHERE id = %(id)s AND (time_note IS DISTINCT FROM %(note)s OR size <> %(size)s
                                          OR %(note)s::text IS NULL AND modified <> %(modified)s)""",
                {"modified": modified, "note": time_note, "size": observation.file.size, "id": current["id"]},
            )
        else:
            if current:
                connection.execute("UPDATE versions SET seen_to = %s WHERE id = %s", (moment, current["id"]))
            state = "failed" if error else "pending"
            connection.execute(
                """INSERT INTO versions (document_id, sha256, size, modified, time_note, state, error, seen_from)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
                (document_id, observation.sha256, observation.file.size, modified, time_note, state, error, moment),
            )
        settled_ns = observation.file.mtime_ns if observation.settled else None
        connection.execute(
            """UPDATE documents SET size = %(size)s, mtime_ns = %(mtime_ns)s
               WHERE id = %(id)s AND (size, mtime_ns) IS DISTINCT FROM (%(size)s, %(mtime_ns)s::numeric)""",
            {"size": observation.file.size, "mtime_ns": settled_ns, "id": document_id},
        )
        note_check(connection, document_id, observation.file.ctime_ns)


def _existing(connection: Connection[dict[str, Any]], document_id: UUID) -> dict[str, Any] | None:
    """Return a document with the SHA-256 of its current version; None if it was forgotten meanwhile."""
    return connection.execute(
        """SELECT d.id, (SELECT v.sha256 FROM versions v WHERE v.document_id = d.id AND v.seen_to IS NULL) AS sha256
           FROM documents d WHERE d.id = %s FOR UPDATE""",
        (document_id,),
    ).fetchone()


def _is_unwanted(
    connection: Connection[dict[str, Any]],
    source: str,
    path: str,
    existing: dict[str, Any] | None,
    observation: FileObservation,
) -> bool:
    """Return whether the content was forgotten. A document that had it before keeps it, as it was not forgotten."""
    if existing and observation.sha256 in (None, existing["sha256"]):
        return False
    return tombstones.is_forgotten(connection, tombstones.digest_of(source, path, observation.sha256))


def _moment(connection: Connection[dict[str, Any]], document_id: UUID, at: datetime | None) -> datetime:
    """Return the time to record for an observation of a document: `at`, or now.

    Where the clock was set back, it is right after what was recorded last: the order of the history is the order of
    the observations, and every version was seen for some time. What was recorded while the clock was more than a day
    ahead counts for its own document alone, so that it does not stop the time of all others.
    """
    rows = connection.execute(
        """WITH clock AS (SELECT coalesce(%(at)s, now()) AS now)
           SELECT greatest(now, (
               SELECT max(recorded) + interval '1 microsecond' FROM (
                   SELECT greatest(seen_from, seen_to) FROM versions WHERE document_id = %(id)s
                   UNION ALL SELECT max(seen_from) FROM versions WHERE seen_from < now + interval '1 day'
                   UNION ALL SELECT max(seen_to) FROM versions WHERE seen_to < now + interval '1 day'
                   UNION ALL SELECT max(seen_from) FROM document_paths WHERE seen_from < now + interval '1 day'
) AS history (recorded))) AS moment
           FROM clock""",
        {"at": at, "id": document_id},
    ).fetchall()
    moment: datetime = rows[0]["moment"]
    return moment


def _create(connection: Connection[dict[str, Any]], source: str, path: str) -> UUID:
    insert = "INSERT INTO documents (source, path) VALUES (%s, %s) RETURNING id"
    rows = connection.execute(insert, (source, path)).fetchall()
    return UUID(str(rows[0]["id"]))


def _last_at(connection: Connection[dict[str, Any]], source: str, path: str) -> UUID | None:
    """Return the deleted document that had this path last; None: there is none."""
    row = connection.execute(
        """SELECT id FROM documents WHERE source = %s AND md5(path) = md5(%s) AND path = %s
           AND deleted_at IS NOT NULL ORDER BY deleted_at DESC LIMIT 1 FOR UPDATE""",
        (source, path, path),
    ).fetchone()
    return UUID(str(row["id"])) if row else None


def rename(pool: Pool, document_id: UUID, path: str, at: datetime | None = None, source: str | None = None) -> None:
    """Record that a document has another path, since `at` or now; `source` is the source of it, None: the same."""
    with pool.connection() as connection:
        before = connection.execute("SELECT source FROM documents WHERE id = %s FOR UPDATE", (document_id,)).fetchone()
        if before is None:  # forgotten meanwhile
            return
        source = source or before["source"]
        if source != before["source"]:
            _rebase_paths(connection, document_id, before["source"], source)
        connection.execute("UPDATE documents SET source = %s, path = %s WHERE id = %s", (source, path, document_id))
        _note_path(connection, document_id, path, _moment(connection, document_id, at))


def _rebase_paths(connection: Connection[dict[str, Any]], document_id: UUID, before: str, source: str) -> None:
    """Write the paths that a document has had as they are recorded for one in another source."""
    rows = connection.execute(
        "SELECT seen_from, path FROM document_paths WHERE document_id = %s", (document_id,)
    ).fetchall()
    connection.execute(
        """UPDATE document_paths p SET path = new.path
           FROM unnest(%s::timestamptz[], %s::text[]) AS new (seen_from, path)
           WHERE p.document_id = %s AND p.seen_from = new.seen_from""",
        ([row["seen_from"] for row in rows], [rebase(row["path"], before, source) for row in rows], document_id),
    )


def _note_path(connection: Connection[dict[str, Any]], document_id: UUID, path: str, moment: datetime) -> None:
    connection.execute(
        "INSERT INTO document_paths (document_id, path, seen_from) VALUES (%s, %s, %s)", (document_id, path, moment)
    )


def retire(pool: Pool, document_id: UUID, at: datetime | None = None) -> None:
    """Record that the file of a document was deleted, at `at` or now, and answer from it no longer."""
    with pool.connection() as connection:
        _retire(connection, document_id, at)


def _retire(connection: Connection[dict[str, Any]], document_id: UUID, at: datetime | None) -> None:
    connection.execute("SELECT FROM documents WHERE id = %s FOR UPDATE", (document_id,))
    answer_from(connection, document_id, None, [])
    moment = _moment(connection, document_id, at)
    connection.execute(
        "UPDATE versions SET seen_to = %s WHERE document_id = %s AND seen_to IS NULL", (moment, document_id)
    )
    connection.execute(
        "UPDATE documents SET deleted_at = %s WHERE id = %s AND deleted_at IS NULL", (moment, document_id)
    )


def answer_from(
    connection: Connection[dict[str, Any]], document_id: UUID, version_id: UUID | None, hashes: Sequence[bytes]
) -> None:
    """Answer from a version of a document, which consists of the passages with these hashes; None: from none.

    Notes for the follower in Chroma which passages become searchable, or are no longer.
    """
    # A passage may be in many documents: whether it is searchable is decided by one transaction at a time.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (VISIBILITY_LOCK,))
    connection.execute("UPDATE documents SET answered_from = %s WHERE id = %s", (version_id, document_id))
    changed = connection.execute(
        """WITH wanted AS (SELECT DISTINCT unnest(%(hashes)s::bytea[]) AS hash),
           removed AS (
               DELETE FROM document_passages d WHERE document_id = %(document)s
                   AND NOT EXISTS (SELECT FROM wanted w WHERE w.hash = d.hash) RETURNING hash),
           added AS (
               INSERT INTO document_passages (document_id, hash) SELECT %(document)s, hash FROM wanted
               ON CONFLICT DO NOTHING RETURNING hash)
           SELECT hash FROM removed UNION ALL SELECT hash FROM added""",
        {"document": document_id, "hashes": list(hashes)},
    ).fetchall()
    connection.execute(
        """WITH turned AS (
               UPDATE passages p SET searchable = NOT searchable WHERE hash = ANY(%s)
                   AND searchable <> EXISTS (SELECT FROM document_passages d WHERE d.hash = p.hash) RETURNING hash)
           INSERT INTO volatile.vector_changes (hash) SELECT hash FROM turned""",
        ([row["hash"] for row in changed],),
    )


def waiting(pool: Pool, slow: bool | None = None, limit: int | None = None) -> list[UUID]:
    """Return the versions to read of sources that answer: those not queued yet, or queued too long ago.

    What a person asked for comes first, then files that were changed right before they were observed, then small files
    before large ones. `slow` selects the formats that take long to read, or the others; None: all of them.
    """
    with pool.connection() as connection:
        connection.execute(
            """DELETE FROM volatile.queued q WHERE NOT EXISTS (
                   SELECT FROM versions v WHERE v.id = q.version_id AND v.state = 'pending'
                       AND (v.seen_to IS NULL OR v.snapshot IS NOT NULL))"""
        )
        parameters = {
            "slow": slow,
            "slow_suffixes": SLOW_SUFFIXES,
            "limit": limit,
            "lost": LOST_AFTER,
            "stuck": STUCK_AFTER,
        }
        return [row["id"] for row in connection.execute(_WAITING, parameters)]


def count_queued(pool: Pool, slow: bool) -> int:
    """Return how many versions of the shares are in the queue, or being read."""
    parameters = {"slow": slow, "slow_suffixes": SLOW_SUFFIXES, "lost": LOST_AFTER}
    with pool.connection() as connection:
        [row] = connection.execute(_QUEUED, parameters).fetchall()
    return int(row["count"])


def note_queued(pool: Pool, version_ids: Sequence[UUID]) -> None:
    """Record that the versions' messages are in the queue."""
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO volatile.queued (version_id) SELECT unnest(%s::uuid[])
               ON CONFLICT (version_id) DO UPDATE SET queued_at = now(), started_at = NULL""",
            (list(version_ids),),
        )


def note_not_queued(pool: Pool, version_ids: Sequence[UUID]) -> None:
    """Record that the versions' messages are not in the queue."""
    with pool.connection() as connection:
        connection.execute("DELETE FROM volatile.queued WHERE version_id = ANY(%s)", (list(version_ids),))


def forget_queued(pool: Pool) -> None:
    """Mark every waiting version as not queued: the last worker may have died while reading it. Twice does no harm."""
    with pool.connection() as connection:
        connection.execute("DELETE FROM volatile.queued WHERE queued_at > '-infinity'")
        connection.execute("UPDATE volatile.queued SET started_at = NULL")
