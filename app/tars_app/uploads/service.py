# SPDX-License-Identifier: GPL-3.0-or-later
"""Save a document as it arrives: under a name that no scan reads, until the NAS has all of it."""

from __future__ import annotations

import fnmatch
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from tars_app.adapters.mounts import ShareUnavailableError, mount_of_share
from tars_app.kit.errors import RefusedError
from tars_app.settings import Settings
from tars_app.uploads.errors import (
    BrokenOffError,
    BusyError,
    EmptyError,
    FolderUnavailableError,
    NameTakenError,
    NoSpaceError,
    NoUploadsError,
    TooLargeError,
    explain,
)
from tars_app.uploads.names import candidates, fit

MOST_AT_ONCE = 8
MOST_FILES = 20_000
"""In one folder: more make it slow to list, on the NAS and here."""
SPARE_BYTES = 64 * 1024 * 1024
"""Free space that is left to the share."""
ABANDONED_AFTER_S = 86_400.0
_UNFINISHED = ".tars-{}.part"
"""Ignored by every scan, see `adapters.ignored_names`."""


class Uploads:
    """The folder for uploads, and how many documents are being added to it."""

    def __init__(self, settings: Settings) -> None:
        self.place = settings.uploads_place if settings.uploads else None
        self.max_bytes = settings.max_file_bytes
        self._folder = settings.uploads
        self._require_mount = settings.require_mount
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    async def receive(self, name: str, length: int, blocks: AsyncIterator[bytes]) -> str:
        """Save a document of this many bytes; return its name in the folder. No file is ever overwritten.

        Raises:
            RefusedError: one of `uploads.errors`. Nothing is saved.
        """
        try:
            upload = await run_in_threadpool(self._begin, name, length)
            try:
                async for block in blocks:
                    await run_in_threadpool(upload.write, block)
                return await run_in_threadpool(upload.finish)
            finally:
                self._free.release()
                await run_in_threadpool(upload.close)
        except ClientDisconnect as error:
            raise BrokenOffError("The file did not arrive as a whole.", "Send it again.") from error
        except TooLargeError:
            raise
        except RefusedError:
            # A proxy may lose an answer that begins before the request has ended.
            async for _ in blocks:
                pass
            raise

    def _begin(self, name: str, length: int) -> _Upload:
        if self._folder is None or self.place is None:
            raise NoUploadsError("Documents cannot be added here.", "Copy them to a share, or set uploads in the spec.")
        if length > self.max_bytes:
            message = f"The file has {length:,} bytes; files over {self.max_bytes:,} bytes are not read."
            raise TooLargeError(message, "Split it, or save it with smaller pictures.")
        name = fit(name)
        if not length:
            raise EmptyError("The file is empty (0 bytes).", "Check it in the program that wrote it.")
        if not self._free.acquire(blocking=False):
            raise BusyError(f"{MOST_AT_ONCE} documents are being added already.", "Try again in a moment.")
        try:
            return _Upload(self._folder, self.place, name, length, self._require_mount)
        except BaseException:
            self._free.release()
            raise


class _Upload:
    """A document that arrives, in the open folder."""

    def __init__(self, folder: Path, place: str, name: str, length: int, require_mount: bool) -> None:
        self._place, self._name = place, name
        self._unfinished = _UNFINISHED.format(uuid4().hex)
        with self._explained():
            try:
                mount_of_share(folder, require_mount)
            except ShareUnavailableError as error:
                step = "Check that the NAS is on and that the folder exists, then try again."
                raise FolderUnavailableError(f"{place} is not available: {error}.", step) from error
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._require_space(length)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._unfinished, flags, 0o666, dir_fd=self._folder)
            except BaseException:
                os.close(self._folder)
                raise

    def write(self, block: bytes) -> None:
        """Append a part of the content."""
        with self._explained():
            left = memoryview(block)
            while left:
                left = left[os.write(self._file, left) :]

    def finish(self) -> str:
        """Give the document its name, or one with a number where that is taken; return it."""
        with self._explained():
            os.fsync(self._file)
            for name in candidates(self._name):
                try:
                    # Unlike a renamed file, a link never takes the place of another one.
                    os.link(self._unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                except FileExistsError:
                    continue
                return name
        raise NameTakenError(f"{self._place} has too many files named {self._name}.", "Rename the file.")

    def close(self) -> None:
        """Remove the temporary name, with the content unless it has another name. Raises nothing."""
        with suppress(OSError):  # what matters was written and synchronised before
            os.close(self._file)
        with suppress(OSError):  # a later upload removes what is left
            os.unlink(self._unfinished, dir_fd=self._folder)
        os.close(self._folder)

    def _require_space(self, length: int) -> None:
        names = os.listdir(self._folder)
        for name in fnmatch.filter(names, _UNFINISHED.format("*")):
            with suppress(OSError):  # another upload has removed it, or the next one tries again
                if os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mtime < time.time() - ABANDONED_AFTER_S:
                    os.unlink(name, dir_fd=self._folder)
        if len(names) >= MOST_FILES:
            message = f"{self._place} has {len(names):,} files; documents are added up to {MOST_FILES:,}."
            raise NoSpaceError(message, "Move some of them to other folders of the share.")
        status = os.fstatvfs(self._folder)
        free = status.f_bavail * status.f_frsize
        if free < length + SPARE_BYTES:
            message = f"{self._place} is full: {free:,} bytes are free, {length + SPARE_BYTES:,} are needed."
            raise NoSpaceError(message, "Delete files that are not needed, or raise the quota of the share.")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain(self._place, error) from error
