# SPDX-License-Identifier: GPL-3.0-or-later
"""Erase what PostgreSQL's files still hold of deleted rows.

A deleted row stays in the file of its table: VACUUM only marks its place as free. VACUUM FULL writes the table and its
indexes again (PostgreSQL documentation, section 25.1). The statistics of the planner hold samples of texts. The
write-ahead log holds every row that was written, also in segments that it keeps to use again; a switch to the next
segment fills the rest of the current one with zeros.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import LockNotAvailable

from tars_app.adapters.postgres import Pool
from tars_app.forgetting.repository import note_erased, waiting_for_erasure

log = logging.getLogger(__name__)

WAIT_S = 10.0
"""Longest wait for a transaction or a lock of someone else, such as a backup; then the next pass tries again."""
_TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'volatile') ORDER BY 1, 2"
_OLDER = """
SELECT count(*) AS count FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < %s
"""
_LAST_SEGMENT = "SELECT max(name) AS name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"


def erase_forgotten(pool: Pool, progress: Callable[[], None]) -> bool:
    """Erase what is left of documents that were forgotten; return whether nothing is left to do.

    Tables are locked while they are written again. It may be interrupted at any point, and is then done again.

    Raises:
        UnavailableError: the database cannot be used.
    """
    ids = waiting_for_erasure(pool)
    if not ids:
        return True
    began = time.monotonic()
    with pool.connection() as connection:
        connection.autocommit = True
        try:
            if not _wait_for_transactions(connection):
                log.info("Forgotten documents are erased later", extra={"fields": {"reason": "a long transaction"}})
                return False
            _rewrite_tables(connection, progress)
            _overwrite_log(connection, progress)
        except LockNotAvailable:
            log.info("Forgotten documents are erased later", extra={"fields": {"reason": "a table is in use"}})
            return False
        finally:
            if not connection.closed:
                connection.execute("RESET lock_timeout")
                connection.autocommit = False
    note_erased(pool, ids)
    fields = {"documents": len(ids), "seconds": round(time.monotonic() - began, 1)}
    log.info("Forgotten documents erased", extra={"fields": fields})
    return True


def _wait_for_transactions(connection: Connection[dict[str, Any]]) -> bool:
    """Wait until no transaction is left that may still see the deleted rows: these would be copied."""
    [row] = connection.execute("SELECT clock_timestamp() AS now").fetchall()
    ends = time.monotonic() + WAIT_S
    while connection.execute(_OLDER, (row["now"],)).fetchall()[0]["count"]:
        if time.monotonic() >= ends:
            return False
        time.sleep(0.1)
    return True


def _rewrite_tables(connection: Connection[dict[str, Any]], progress: Callable[[], None]) -> None:
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{WAIT_S:.0f}s")))
    for row in connection.execute(_TABLES).fetchall():
        table = sql.Identifier(row["schemaname"], row["tablename"])
        connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(table))
        progress()
    connection.execute("VACUUM FULL pg_statistic")


def _overwrite_log(connection: Connection[dict[str, Any]], progress: Callable[[], None]) -> None:
    """Write over every segment that may hold a deleted row, up to the last one that exists now."""
    _switch_segment(connection)
    connection.execute("CHECKPOINT")
    [last] = connection.execute(_LAST_SEGMENT).fetchall()
    while _switch_segment(connection) <= last["name"]:
        progress()
    connection.execute("CHECKPOINT")


def _switch_segment(connection: Connection[dict[str, Any]]) -> str:
    """Fill the current segment with zeros, and return the name of the next one."""
    connection.execute("SELECT pg_logical_emit_message(false, 'tars', '')")  # an empty segment is not switched
    connection.execute("SELECT pg_switch_wal()")
    [row] = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS name").fetchall()
    return str(row["name"])
