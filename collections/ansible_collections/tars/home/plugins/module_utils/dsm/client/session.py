# SPDX-License-Identifier: GPL-3.0-or-later
"""The login that one play shares: a private file with the session, which serialises changes as well."""

from __future__ import annotations

import contextlib
import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from .private_file import PrivateFile


@dataclass
class Session:
    """The result of a login (`sid`, `synotoken`), its owner, and the APIs of the NAS.

    `apis` maps an API's name to its API.Info entry (path, minVersion, maxVersion, requestFormat).
    """

    owner: str
    sid: str = ""
    synotoken: str = ""
    apis: dict[str, Any] = field(default_factory=dict)


class SessionStore:
    """Keeps one Session in a private file; without a path it is kept in memory and nothing is locked."""

    def __init__(self, path: str | None) -> None:
        self.file = PrivateFile(path, "session_file") if path else None

    def load(self, owner: str) -> Session:
        """Return the stored session of `owner` (account at host and port), or an empty one."""
        document = self.file.read() if self.file else None
        try:
            session = Session(**document) if document else Session(owner)
        except TypeError:
            # A file of another version: a new login replaces it.
            return Session(owner)
        return session if session.owner == owner else Session(owner)

    def save(self, session: Session) -> None:
        """Write the session to the file."""
        if self.file:
            self.file.write(dataclasses.asdict(session))

    def forget(self) -> None:
        """Delete the file."""
        if self.file:
            self.file.remove()

    def exclusive(self) -> AbstractContextManager[None]:
        """Allow one change or login at a time among all that share the file; DSM answers 3328 or 117 otherwise."""
        return self.file.exclusive() if self.file else contextlib.nullcontext()
