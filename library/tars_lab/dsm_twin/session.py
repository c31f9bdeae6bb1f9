# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: opened by a login, bound to an address, ended by a timeout, a fault or a logout."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tars_lab.dsm_twin.protocol import DsmError

TIMEOUT_S = 15 * 60
"""Idle seconds after which a session ends: the default of SYNO.Core.Security.DSM `timeout`, 15 minutes."""


@dataclass
class Session:
    """One login. `token` is the SynoToken that later calls must send; "" if the login did not request one."""

    sid: str
    account: str
    administrator: bool
    address: str
    token: str
    used: float


class Sessions:
    """The open sessions. They do not survive a restart of the NAS."""

    def __init__(self, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._open: dict[str, Session] = {}
        self._guard = threading.Lock()

    def open(self, account: str, administrator: bool, address: str, with_token: bool) -> Session:
        """Open and return a session."""
        token = secrets.token_urlsafe(12) if with_token else ""
        session = Session(secrets.token_urlsafe(48), account, administrator, address, token, self._clock())
        with self._guard:
            self._open[session.sid] = session
        return session

    def check(self, sid: str, token: str, address: str) -> Session:
        """Return the session of `sid`. Raises DsmError: 119 unknown or no SynoToken, 106 timeout, 150 other address."""
        with self._guard:
            session = self._open.get(sid)
            if session is None:
                raise DsmError(119)
            now = self._clock()
            if now - session.used > self._timeout_s:
                del self._open[sid]
                raise DsmError(106)
            if address != session.address:
                raise DsmError(150)
            if session.token and not secrets.compare_digest(session.token.encode(), token.encode()):
                raise DsmError(119)
            session.used = now
            return session

    def listed(self) -> list[Session]:
        """Return the open sessions."""
        with self._guard:
            return list(self._open.values())

    def close(self, sid: str) -> None:
        """Close a session, if it is open."""
        with self._guard:
            self._open.pop(sid, None)

    def close_all(self) -> None:
        """Close all sessions."""
        with self._guard:
            self._open.clear()
