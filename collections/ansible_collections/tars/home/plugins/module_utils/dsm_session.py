# SPDX-License-Identifier: GPL-3.0-or-later
"""The login that one play shares: a private file with the session, and the lock that serialises changes beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from .dsm_errors import DsmError


@dataclass
class Session:
    """What a login gave (`sid`, `synotoken`), for whom, and what the NAS said about its APIs.

    `apis` maps an API's name to its API.Info entry (path, minVersion, maxVersion, requestFormat).
    """

    owner: str
    sid: str = ""
    synotoken: str = ""
    apis: dict[str, Any] = field(default_factory=dict)


class SessionStore:
    """Keeps one Session in a file of mode 0600; without a path it is kept in memory and nothing is locked."""

    def __init__(self, path: Optional[str]) -> None:
        self.path = os.path.abspath(os.path.expanduser(path)) if path else None
        self._held = False

    def load(self, owner: str) -> Session:
        """The stored session of `owner` (account at host and port), or an empty one."""
        if self.path is None:
            return Session(owner)
        try:
            with open(self.path, encoding="utf-8") as file:
                self._refuse_shared(os.fstat(file.fileno()))
                stored = json.load(file)
            session = Session(**stored)
        except FileNotFoundError:
            return Session(owner)
        except OSError as error:
            raise self._unusable(error) from error
        except (ValueError, TypeError):
            # A file of another version, or a torn copy: a new login replaces it.
            return Session(owner)
        return session if session.owner == owner else Session(owner)

    def save(self, session: Session) -> None:
        if self.path is None:
            return
        try:
            handle, name = tempfile.mkstemp(dir=self._folder(), prefix=".dsm-session-")  # made with mode 0600
        except OSError as error:
            raise self._unusable(error) from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(session), file)
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise

    def forget(self) -> None:
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one change (or login) at a time among all who share the file; DSM answers 3328 or 117 otherwise."""
        if self.path is None or self._held:
            yield
            return
        try:
            self._folder()
            lock = os.open(self.path + ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._held = True
            yield
        finally:
            self._held = False
            os.close(lock)

    def _unusable(self, error: OSError) -> DsmError:
        return DsmError(
            f"session file {self.path} cannot be used ({error.strerror}). Set session_file to a path in a folder of "
            "your own."
        )

    def _folder(self) -> str:
        folder = os.path.dirname(self.path or "")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return folder

    def _refuse_shared(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise DsmError(
                f"session file {self.path} belongs to uid {status.st_uid} with mode "
                f"{stat.S_IMODE(status.st_mode):04o}, expected uid {os.geteuid()} and mode 0600: somebody else could "
                "use the session. Remove the file and run again."
            )
