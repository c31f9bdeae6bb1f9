# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that were read from PostgreSQL, kept until a transaction changes anything there.

PostgreSQL names what a statement sees by its snapshot: the transactions that were in progress, and the number of the
next one. Statements with equal snapshots see equal rows (documentation of PostgreSQL, 9.27.8, pg_current_snapshot).
So nothing has to report a change, and none can be missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from psycopg import Connection

_STATE = "SELECT pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text AS state"
_VALUES = 32

Read = Callable[[Connection[dict[str, Any]]], Any]


class ReadCache:
    """It may be used by many threads, for connections that read each statement's latest rows and write nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = ""
        self._values: dict[Hashable, Any] = {}

    def get(self, connection: Connection[dict[str, Any]], key: Hashable, read: Read) -> Any:
        """Return the value of a key: what `read` returns, which is kept where nothing changed while it was read."""
        state = _state_of(connection)
        with self._lock:
            if state != self._state:
                self._state = state
                self._values.clear()
            elif key in self._values:
                return self._values[key]
        value = read(connection)
        if _state_of(connection) == state:
            with self._lock:
                if self._state == state:
                    while len(self._values) >= _VALUES:
                        del self._values[next(iter(self._values))]
                    self._values[key] = value
        return value


def _state_of(connection: Connection[dict[str, Any]]) -> str:
    [row] = connection.execute(_STATE).fetchall()
    return str(row["state"])
