# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that were read from PostgreSQL, kept until a transaction changes anything there.

PostgreSQL names what a statement sees by its snapshot: the transactions that were in progress, and the number of the
next one. Statements with equal snapshots see equal rows (documentation of PostgreSQL, 9.27.8, pg_current_snapshot).
So nothing has to report a change, and none can be missed: but for a crash of the server, which empties unlogged tables
without a transaction. What was read from these is kept until the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from psycopg import Connection

STATE = "pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text AS state"
"""A column of a statement: the state of the database that it sees."""
_VALUES = 32

Read = Callable[[Connection[dict[str, Any]]], Any]


class ReadCache:
    """It may be used by many threads, for connections that read each statement's latest rows and write nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = ""
        self._values: dict[Hashable, Any] = {}

    def get(self, connection: Connection[dict[str, Any]], key: Hashable, read: Read, state: str | None = None) -> Any:
        """Return the value of a key: what `read` returns, which is kept where nothing changed while it was read.

        `state` is the state of the database that an earlier statement of the same question saw, None: the one of now.
        """
        state = state or state_of(connection)
        with self._lock:
            if state != self._state:
                self._state = state
                self._values.clear()
            elif key in self._values:
                return self._values[key]
        value = read(connection)
        if state_of(connection) == state:
            with self._lock:
                if self._state == state:
                    while len(self._values) >= _VALUES:
                        del self._values[next(iter(self._values))]
                    self._values[key] = value
        return value


def state_of(connection: Connection[dict[str, Any]]) -> str:
    """Return the state of the database: equal ones see equal rows."""
    [row] = connection.execute(f"SELECT {STATE}").fetchall()
    return str(row["state"])
