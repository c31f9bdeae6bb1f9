# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the versions that ended longer ago than the household keeps them.

A version ends when the next one replaces it, or when its file is deleted. The current version of a document stays, and
so does one that it is still answered from. Versions are removed in the order in which they ended, and the time at which
the last removed one ended is recorded with it: from then on, the history is complete at every moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from tars_app.adapters.postgres import FORGET_LOCK, Pool
from tars_app.forgetting.schemas import Retention
from tars_app.kit.instants import years_before

log = logging.getLogger(__name__)

NOTICE = timedelta(days=7)
"""Time between a change of the setting and the first removal, in which a mistake can be seen and undone."""
BATCH = 500
"""Versions that are removed in one transaction. Meanwhile no document is stored."""

_NOTE_SETTING = """
INSERT INTO version_retention (years, since)
SELECT %(years)s, %(now)s WHERE %(years)s::int IS NOT NULL OR EXISTS (SELECT FROM version_retention)
ON CONFLICT (id) DO UPDATE SET years = excluded.years, since = excluded.since
    WHERE version_retention.years IS DISTINCT FROM excluded.years
RETURNING since
"""
_DUE = """v.seen_to < %(before)s AND NOT EXISTS (SELECT FROM documents a WHERE a.answered_from = v.id)"""
_BATCH = f"SELECT v.id, v.seen_to FROM versions v WHERE {_DUE} ORDER BY v.seen_to, v.id LIMIT %(limit)s"  # noqa: S608  constants
_OWN_PASSAGES = """
SELECT unnest(t.hashes) AS hash FROM version_texts t WHERE t.version_id = ANY(%(ids)s)
EXCEPT SELECT unnest(t.hashes) FROM version_texts t WHERE t.version_id <> ALL(%(ids)s)
"""
_REMOVE_PATHS = """
DELETE FROM document_paths p WHERE EXISTS (
    SELECT FROM document_paths n WHERE n.document_id = p.document_id AND n.seen_from > p.seen_from
        AND n.seen_from <= %(kept_since)s)
"""
_REMOVE_DOCUMENTS = """
DELETE FROM documents d WHERE d.deleted_at <= %(kept_since)s
    AND NOT EXISTS (SELECT FROM versions v WHERE v.document_id = d.id)
"""
_PREVIEW = f"""
WITH due AS (SELECT v.id, v.document_id FROM versions v WHERE {_DUE}),
     own AS (SELECT unnest(t.hashes) FROM version_texts t JOIN due ON due.id = t.version_id
             EXCEPT SELECT unnest(t.hashes) FROM version_texts t WHERE t.version_id NOT IN (SELECT id FROM due))
SELECT (SELECT count(*) FROM due) AS versions, (SELECT count(*) FROM own) AS passages,
       (SELECT count(DISTINCT due.document_id) FROM due WHERE NOT EXISTS (
            SELECT FROM versions v WHERE v.document_id = due.document_id AND v.id NOT IN (SELECT id FROM due)))
       AS documents
"""  # noqa: S608  constants


def preview(pool: Pool, years: int, now: datetime | None = None) -> Retention:
    """Return what the setting (0: keep for ever) removes, and since when the history is complete. Changes nothing."""
    now = now or datetime.now(UTC)
    with pool.connection() as connection:
        row = connection.execute("SELECT years, since, kept_since FROM version_retention").fetchone()
        kept_since = row and row["kept_since"]
        if not years:
            return Retention(years=None, kept_since=kept_since)
        before = years_before(now, years)
        [counts] = connection.execute(_PREVIEW, {"before": before}).fetchall()
    # The worker records a new setting in its next pass.
    since = row["since"] if row and row["years"] == years else now
    return Retention(years=years, kept_since=kept_since, before=before, begins=since + NOTICE, **counts)


def remove_old_versions(pool: Pool, years: int, progress: Callable[[], None], now: datetime | None = None) -> int:
    """Remove the versions that ended more than `years` ago (0: none), and return their number.

    Nothing is removed in the first week after a change of the setting. It may be interrupted at any point: what was
    removed until then is complete, and the next call goes on.

    Raises:
        UnavailableError: the database cannot be used.
    """
    now = now or datetime.now(UTC)
    with pool.connection() as connection:
        changed = connection.execute(_NOTE_SETTING, {"years": years or None, "now": now}).fetchone()
        row = connection.execute("SELECT since FROM version_retention").fetchone()
    if changed:
        _announce(pool, years, now)
    if not years or row is None or now < row["since"] + NOTICE:
        return 0
    removed = 0
    while count := _remove_batch(pool, years_before(now, years)):
        removed += count
        progress()
    if removed:
        log.info("Old versions removed", extra={"fields": {"versions": removed, "years": years}})
    return removed


def _announce(pool: Pool, years: int, now: datetime) -> None:
    planned = preview(pool, years, now)
    if planned.begins is None:
        log.info("Every version is kept from now on")
        return
    fields = {"years": years, "begins": planned.begins.isoformat(timespec="seconds"), "versions": planned.versions}
    log.warning("Old versions will be removed", extra={"fields": {**fields, "deleted_documents": planned.documents}})


def _remove_batch(pool: Pool, before: datetime) -> int:
    """Remove the versions that ended first, with what only they have, in one transaction; return their number."""
    with pool.connection() as connection:
        # Waits for documents that are being stored: they may contain the same passages.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (FORGET_LOCK,))
        due = connection.execute(_BATCH, {"before": before, "limit": BATCH}).fetchall()
        if due:
            _remove(connection, [row["id"] for row in due], due[-1]["seen_to"])
    return len(due)


def _remove(connection: Connection[dict[str, Any]], ids: list[Any], ended: datetime) -> None:
    hashes = [row["hash"] for row in connection.execute(_OWN_PASSAGES, {"ids": ids})]
    connection.execute("DELETE FROM versions WHERE id = ANY(%s)", (ids,))
    connection.execute("DELETE FROM vectors WHERE hash = ANY(%s)", (hashes,))
    connection.execute("DELETE FROM passages WHERE hash = ANY(%s)", (hashes,))
    connection.execute("INSERT INTO volatile.vector_changes (hash) SELECT unnest(%s::bytea[])", (hashes,))
    [row] = connection.execute(
        "UPDATE version_retention SET kept_since = greatest(kept_since, %s) RETURNING kept_since", (ended,)
    ).fetchall()
    connection.execute(_REMOVE_PATHS, row)
    connection.execute(_REMOVE_DOCUMENTS, row)
