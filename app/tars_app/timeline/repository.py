# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of a document, and the passages of a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.documents.model import NO_PAGE
from tars_app.documents.recorded_paths import place_at, place_of
from tars_app.documents.visible import Beginning, read_beginning
from tars_app.timeline.schemas import DayOfChanges, History, PathEntry, Version

_VERSIONS = f"""
SELECT v.id AS version_id, v.seen_from AS observed, v.seen_to AS until, v.snapshot, v.modified, v.dated,
       nullif(v.dated_by, 'none') AS dated_by, v.state, v.error, v.pages, v.chunks,
       EXISTS (SELECT FROM version_texts t WHERE t.version_id = v.id) AS kept, place.source, place.path
FROM versions v JOIN documents d ON d.id = v.document_id
CROSS JOIN LATERAL {place_at("coalesce(v.seen_to - interval '1 microsecond', 'infinity')")} AS place
WHERE d.id = %s ORDER BY v.seen_from
"""  # noqa: S608  constants
_PASSAGES = """
SELECT u.hash, p.text, u.ordinal, nullif(u.page, %s) AS page, u.label
FROM version_texts t
CROSS JOIN LATERAL unnest(t.hashes, t.pages, t.labels) WITH ORDINALITY AS u (hash, page, label, ordinal)
JOIN passages p ON p.hash = u.hash WHERE t.version_id = %s ORDER BY u.ordinal
"""


@dataclass(frozen=True)
class PassageOfVersion:
    """A passage and its place in a version: its number, from 1, and its section, None for a text without places."""

    hash: bytes
    text: str
    ordinal: int
    page: int | None
    label: str


def read_history(pool: Pool, document_id: UUID) -> History:
    """Return all versions and paths of a document on record."""
    with pool.connection() as connection:
        versions = connection.execute(_VERSIONS, (document_id,)).fetchall()
        paths = connection.execute(
            "SELECT path, seen_from AS observed FROM document_paths WHERE document_id = %s ORDER BY seen_from",
            (document_id,),
        ).fetchall()
        [document] = connection.execute(
            """SELECT id AS document_id, source, path, deleted_at AS deleted,
                      (SELECT kept_since FROM version_retention) AS kept_since FROM documents WHERE id = %s""",
            (document_id,),
        ).fetchall()
    return History(
        **document,
        versions=[Version.model_validate(row) for row in versions],
        paths=[_path_entry(row["path"], document["source"], row["observed"]) for row in paths],
    )


def _path_entry(recorded: str, recorded_for: str, observed: datetime) -> PathEntry:
    source, path = place_of(recorded, recorded_for)
    return PathEntry(source=source, path=path, observed=observed)


def history_begins(pool: Pool) -> Beginning:
    """Return when the history begins."""
    with pool.connection() as connection:
        return read_beginning(connection)


def days_of_changes(pool: Pool, zone: str) -> list[DayOfChanges]:
    """Return the days in a time zone on which contents were first observed, the earliest first.

    Where earlier versions were removed, the first one is the day from which on the history is kept.
    """
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT (moment AT TIME ZONE %s)::date AS day, sum(changes) AS changes FROM (
                   SELECT v.seen_from, 1 FROM versions v LEFT JOIN version_retention r ON true
                   WHERE v.seen_from >= coalesce(r.kept_since, '-infinity')
                   UNION ALL SELECT kept_since, 0 FROM version_retention WHERE kept_since IS NOT NULL
               ) AS events (moment, changes) GROUP BY day ORDER BY day""",
            (zone,),
        ).fetchall()
    return [DayOfChanges(**row) for row in rows]


def read_passages(pool: Pool, version_id: UUID) -> list[PassageOfVersion]:
    """Return the passages of a version, in order."""
    with pool.connection() as connection:
        return [PassageOfVersion(**row) for row in _rows(connection, version_id)]


def _rows(connection: Connection[dict[str, Any]], version_id: UUID) -> list[dict[str, Any]]:
    return connection.execute(_PASSAGES, (NO_PAGE, version_id)).fetchall()
