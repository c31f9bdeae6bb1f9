# SPDX-License-Identifier: GPL-3.0-or-later
"""When the whole file of each document was last read: a change may keep its size and modification time.

Such a change sets the change time (ctime) of a file, which no program can choose. On a file system without one, the
change is noticed when the file is read again, which every file is about once in `CHECK_INTERVAL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.postgres import Pool

CHECK_INTERVAL = "28 days"
"""So that all files are read within 30 days, also where many are due at the same time."""
_MOST_DUE = 1000


def note_check(connection: Connection[dict[str, Any]], document_id: UUID, ctime_ns: int) -> None:
    """Record that the whole file of a document was read now."""
    connection.execute(
        """INSERT INTO volatile.file_checks (document_id, ctime_ns, checked_at) VALUES (%s, %s, now())
           ON CONFLICT (document_id) DO UPDATE SET ctime_ns = excluded.ctime_ns, checked_at = excluded.checked_at""",
        (document_id, ctime_ns),
    )


def trust(pool: Pool, ctimes_ns: Mapping[UUID, int]) -> None:
    """Record the change times of files of which it is not on record, as after a restore, without reading them.

    They are due at different times, so that they are not all read again on one day.
    """
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO volatile.file_checks (document_id, ctime_ns, checked_at)
               SELECT document_id, ctime_ns, now() - random() * %s::interval
               FROM unnest(%s::uuid[], %s::numeric[]) AS new (document_id, ctime_ns) ON CONFLICT DO NOTHING""",
            (CHECK_INTERVAL, list(ctimes_ns), list(ctimes_ns.values())),
        )


def due(pool: Pool, source: str) -> list[str]:
    """Return paths of documents whose files have to be read again, those that were not read for longest first."""
    with pool.connection() as connection:
        rows = connection.execute(
            """SELECT d.path FROM volatile.file_checks c JOIN documents d ON d.id = c.document_id
               WHERE d.source = %s AND d.deleted_at IS NULL AND c.checked_at < now() - %s::interval
               ORDER BY c.checked_at LIMIT %s""",
            (source, CHECK_INTERVAL, _MOST_DUE),
        )
        return [row["path"] for row in rows]


def drop_deleted(pool: Pool) -> None:
    """Remove the records of documents that are deleted or forgotten."""
    with pool.connection() as connection:
        connection.execute(
            """DELETE FROM volatile.file_checks c WHERE NOT EXISTS (
                   SELECT FROM documents d WHERE d.id = c.document_id AND d.deleted_at IS NULL)"""
        )
