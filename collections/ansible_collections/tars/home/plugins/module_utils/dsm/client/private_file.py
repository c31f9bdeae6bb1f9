# SPDX-License-Identifier: GPL-3.0-or-later
"""A small JSON file that only its owner may read, replaced as a whole, and the lock beside it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from typing import Any

from ...system.files import write_file
from ..errors import DsmError


class PrivateFile:
    """Mode 0600 in a folder made with 0700; `option` is the module option that names it, for errors."""

    def __init__(self, path: str, option: str) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self.option = option
        self._held = False

    def __str__(self) -> str:
        return f"{self.option.replace('_', ' ')} {self.path}"

    def read(self) -> Any:
        """Return the document, None if there is no file or a damaged one. Raises DsmError if others may read it."""
        try:
            with open(self.path, encoding="utf-8") as file:
                self._refuse_shared(os.fstat(file.fileno()))
                return json.load(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except ValueError:
            return None

    def write(self, document: Any) -> None:
        """Replace the file. Raises DsmError if that fails."""
        try:
            self._make_folder()
            write_file(self.path, json.dumps(document), 0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def remove(self) -> None:
        """Delete the file if it exists."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock beside the file."""
        if self._held:
            yield
            return
        try:
            self._make_folder()
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
            f"{self} cannot be used ({error.strerror}). Set {self.option} to a path in a folder of your own."
        )

    def _make_folder(self) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)

    def _refuse_shared(self, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise DsmError(
                f"{self} belongs to uid {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}, expected uid "
                f"{os.geteuid()} and mode 0600: somebody else could log in with it. Remove the file and run again."
            )
