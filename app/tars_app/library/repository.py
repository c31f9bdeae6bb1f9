# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the shares, from the documents on record and what the last scan came upon beside them.

Each function is one transaction. It raises UnavailableError where the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.file_names import comparable
from tars_app.adapters.postgres import Pool
from tars_app.documents import tombstones

Row = dict[str, Any]

_FILES = """
WITH files AS (
    SELECT d.id AS document_id, d.source, d.path, v.id AS version_id, v.sha256, v.size, v.modified,
           v.seen_from AS observed, v.dated, nullif(v.dated_by, 'none') AS dated_by, v.pages, v.chunks,
           nullif(concat_ws(' ', v.time_note, v.index_note), '') AS note, v.error, NULL AS because,
           q.started_at AS since, d.answered_from IS NOT NULL AND v.state <> 'indexed' AS earlier,
           CASE WHEN v.state = 'indexed' THEN 'read' WHEN v.state = 'failed' THEN 'failed'
                WHEN q.started_at IS NOT NULL OR r.remaining <> r.scanned THEN 'reading' ELSE 'waiting' END AS state,
           cardinality(r.scanned) AS scanned, cardinality(r.remaining) AS remaining
    FROM documents d JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
    LEFT JOIN volatile.queued q ON q.version_id = v.id LEFT JOIN recognitions r ON r.version_id = v.id
    WHERE d.deleted_at IS NULL
    UNION ALL
    SELECT NULL, e.source, e.path, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, e.detail, e.because,
           NULL, false,
           CASE WHEN e.because IN ('found', 'writing') THEN 'found' WHEN e.because = 'unreadable' THEN 'failed'
                ELSE 'ignored' END, NULL, NULL
    FROM volatile.entries e
    WHERE NOT EXISTS (SELECT FROM documents d WHERE d.source = e.source AND md5(d.path) = md5(e.path)
                      AND d.path = e.path AND d.deleted_at IS NULL))
"""
_SELECTED = """
(%(source)s::text IS NULL OR source = %(source)s) AND (%(below)s::text IS NULL OR starts_with(path, %(below)s))
AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
AND (%(text)s::text IS NULL
     OR strpos(lower(normalize(source || '/' || path)), lower(normalize(%(text)s::text))) > 0)
"""
_LIST = f"{_FILES} SELECT * FROM files WHERE {_SELECTED} ORDER BY source, path"  # noqa: S608  constants
_PAGE = f"{_LIST} LIMIT %(limit)s OFFSET %(offset)s"
_TOTAL = f"{_FILES} SELECT count(*) AS total FROM files WHERE {_SELECTED}"  # noqa: S608  constants
_COUNTS = f"""
{_FILES} SELECT child, state, count(*) AS count FROM (
    SELECT state, CASE WHEN %(source)s::text IS NULL THEN source
                       WHEN strpos(substr(path, %(skip)s), '/') > 0 THEN split_part(substr(path, %(skip)s), '/', 1)
                  END AS child
    FROM files WHERE {_SELECTED}) AS entries
GROUP BY child, state
"""  # noqa: S608  constants
# The best match first: the path with its share, the path, the name of the file; then the same without regard to case
# and to how accents are written.
_NAMED = f"""
{_FILES} SELECT * FROM (
    SELECT files.*, CASE
        WHEN %(name)s IN (source || '/' || path, path) THEN 1
        WHEN right(path, length(%(name)s) + 1) = '/' || %(name)s THEN 2
        WHEN %(comparable)s IN (lower(normalize(source || '/' || path)), lower(normalize(path))) THEN 3
        WHEN right(lower(normalize(path)), length(%(comparable)s) + 1) = '/' || %(comparable)s THEN 4 END AS rank
    FROM files) AS ranked
WHERE rank IS NOT NULL ORDER BY rank, source, path LIMIT %(limit)s
"""  # noqa: S608  constants
_ABOVE = """
SELECT e.source, e.path, e.because, e.detail FROM volatile.entries e
WHERE starts_with(%(name)s, e.source || '/' || e.path || '/') OR starts_with(%(name)s, e.path || '/')
ORDER BY length(e.path) DESC LIMIT 1
"""
_UNREAD = f"""
{_FILES} SELECT * FROM files
WHERE state <> 'read' AND (because IS NULL OR because IN ('found', 'writing', 'unreadable', 'format'))
    AND lower(normalize(path)) LIKE ANY(%(patterns)s)
ORDER BY source, path LIMIT %(limit)s
"""  # noqa: S608  constants
_INCOMPLETE = f"""
{_FILES} SELECT source, path, state FROM files
WHERE state = 'failed' OR state = 'read' AND note ~ '(has|have) no text|not read|not be recognised|damaged'
ORDER BY source, path
"""  # noqa: S608  constants
_RATE = """
SELECT coalesce(sum(files), 0) AS files, coalesce(sum(bytes), 0)::bigint AS bytes,
       extract(epoch FROM now() - min(minute))::float / 60 AS minutes
FROM volatile.readings WHERE minute > now() - interval '10 minutes'
"""
_LEFT = """
SELECT coalesce(sum(v.size), 0)::bigint AS bytes FROM versions v JOIN documents d ON d.id = v.document_id
WHERE v.state = 'pending' AND v.seen_to IS NULL AND d.deleted_at IS NULL
"""
# All parts are constants.
_FAILED = f"{_FILES} SELECT document_id, version_id, sha256 FROM files WHERE {_SELECTED} AND state = 'failed'"  # noqa: S608
_ASK_FOR = """
INSERT INTO volatile.queued (version_id, queued_at) SELECT unnest(%s::uuid[]), '-infinity'
ON CONFLICT (version_id) DO UPDATE SET queued_at = excluded.queued_at WHERE queued.started_at IS NULL
"""


@dataclass(frozen=True)
class Selection:
    """Which files are asked for: those of a folder (with its share), in some states, with a text in their path."""

    folder: str = ""
    states: tuple[str, ...] = ()
    text: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        source, _, below = self.folder.strip("/").partition("/")
        return {
            "source": source or None,
            "below": f"{below}/" if below else None,
            "skip": len(below) + 2 if below else 1,
            "states": list(self.states) or None,
            "text": self.text or None,
        }


def counts(pool: Pool, selection: Selection) -> list[Row]:
    """Return how many files are in each state, by the share or folder in the selected one; `child` None: in itself."""
    with pool.connection() as connection:
        rows = connection.execute(_COUNTS, selection.parameters()).fetchall()
        if not selection.folder and not selection.states and not selection.text:
            more = "SELECT source AS child, 'ignored' AS state, more_ignored AS count FROM volatile.listings"
            rows += [row for row in connection.execute(more) if row["count"]]
    return rows


def shares(pool: Pool) -> list[Row]:
    """Return the shares."""
    with pool.connection() as connection:
        return connection.execute(
            """SELECT s.name, s.available, s.detail, c.scanned_at AS scanned
               FROM sources s LEFT JOIN volatile.scans c ON c.source = s.name ORDER BY s.name"""
        ).fetchall()


def page(pool: Pool, selection: Selection, limit: int, offset: int) -> tuple[int, list[Row]]:
    """Return how many files are selected, and some of them."""
    parameters = selection.parameters() | {"limit": limit, "offset": offset}
    with pool.connection() as connection:
        [row] = connection.execute(_TOTAL, parameters).fetchall()
        return row["total"], connection.execute(_PAGE, parameters).fetchall()


def every(pool: Pool, selection: Selection) -> Iterator[Row]:
    """Yield all files that are selected, as the database sends them."""
    with pool.connection() as connection, connection.cursor(name="library") as cursor:
        cursor.itersize = 1000
        yield from cursor.execute(_LIST, selection.parameters())


def named(pool: Pool, name: str, limit: int) -> list[Row]:
    """Return the files of this path, with or without their share, or of this name; the best matches first."""
    parameters = {"name": name, "comparable": comparable(name), "limit": limit}
    with pool.connection() as connection:
        return connection.execute(_NAMED, parameters).fetchall()


def entry_above(pool: Pool, name: str) -> Row | None:
    """Return the folder that is not read in which a file of this path, with or without its share, lies."""
    with pool.connection() as connection:
        return connection.execute(_ABOVE, {"name": name}).fetchone()


def is_forgotten(pool: Pool, source: str, path: str) -> bool:
    """Return whether the file at this place was not read because its content was forgotten."""
    with pool.connection() as connection:
        place = tombstones.place_of(source, path)
        rows = connection.execute("SELECT FROM volatile.skipped_files WHERE place = %s", (place,))
        return rows.fetchone() is not None


def unread(pool: Pool, words: Sequence[str], limit: int) -> list[Row]:
    """Return files that were not read, and have one of these words in their path."""
    patterns = ["%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for word in words]
    with pool.connection() as connection:
        return connection.execute(_UNREAD, {"patterns": patterns, "limit": limit}).fetchall()


def incomplete(pool: Pool) -> list[Row]:
    """Return share, path and state of the files that cannot be read, and of those that were read without some parts."""
    with pool.connection() as connection:
        return connection.execute(_INCOMPLETE).fetchall()


def rate(pool: Pool) -> Row:
    """Return how many files and bytes were read in the last minutes, in how many, and how many bytes are left."""
    with pool.connection() as connection:
        [row] = connection.execute(_RATE).fetchall()
        [left] = connection.execute(_LEFT).fetchall()
    return {**row, "bytes_left": left["bytes"]}


def retry(pool: Pool, selection: Selection) -> tuple[int, int]:
    """Let the failed files of a selection be read again, before all others; return how many are, and are checked.

    A file whose content could not be read is checked by the next scan.
    """
    with pool.connection() as connection:
        rows = connection.execute(_FAILED, selection.parameters()).fetchall()
        return _retry(connection, rows)


def retry_one(pool: Pool, row: Row) -> tuple[int, int]:
    """Let one failed file be read again, or one that waits be read before all others; return as `retry`."""
    with pool.connection() as connection:
        if row["state"] == "waiting":
            connection.execute(_ASK_FOR, ([row["version_id"]],))
            return 1, 0
        return _retry(connection, [row])


def _retry(connection: Connection[Row], rows: Sequence[Row]) -> tuple[int, int]:
    versions = [row["version_id"] for row in rows if row["sha256"]]
    again = connection.execute(
        """UPDATE versions SET state = 'pending', error = NULL, attempts = 0
           WHERE id = ANY(%s) AND state = 'failed' AND seen_to IS NULL RETURNING id""",
        (versions,),
    ).fetchall()
    connection.execute(_ASK_FOR, ([row["id"] for row in again],))
    documents: list[UUID] = [row["document_id"] for row in rows if row["document_id"] and not row["sha256"]]
    connection.execute("UPDATE documents SET mtime_ns = NULL WHERE id = ANY(%s)", (documents,))
    return len(again), len([row for row in rows if not row["sha256"]])
