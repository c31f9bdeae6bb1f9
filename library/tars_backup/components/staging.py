# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of staged files that are rewritten only where their bytes change.

The folder is kept between runs, so that restic recognizes an unchanged file by its size and times, and a file that was
damaged between two runs is written again. Files have mode 0600 and folders 0700, whatever the umask. Nothing is
synchronized to disk: the next run compares the bytes of every file.

The digests are those of the bytes that were written or compared: no file is read a second time. `altered` then names
what somebody else has changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

_SUFFIX = ".being-written"
_BLOCK = 1 << 20
_BUFFER = 1 << 16
_MODE = 0o600


class StagedFile:
    """A file that is being staged: the bytes written are compared with the file of the last run while both agree."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._old = _open_regular(path)
        self._new: BinaryIO | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes. Raises OSError where the disk is full."""
        self._hash.update(data)
        if self._new is None and (self._old is None or self._old.read(len(data)) != data):
            self._new = self._begin()
        if self._new is not None:
            self._new.write(data)
        self.size += len(data)

    def close(self) -> str:
        """Put the file in its place; return the SHA-256 of its bytes in hex."""
        if self._new is None and (self._old is None or self._old.read(1)):
            self._new = self._begin()
        if self._new is not None:
            self._new.close()
            os.replace(self._temporary, self._path)
        self._close_old()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave the file of the last run as it is."""
        if self._new is not None:
            with suppress(OSError):  # it writes the rest of its buffer, for which the disk can be full
                self._new.close()
            self._temporary.unlink(missing_ok=True)
        self._close_old()

    @property
    def _temporary(self) -> Path:
        return self._path.with_name(self._path.name + _SUFFIX)

    def _begin(self) -> BinaryIO:
        """Return a new file that holds what was written so far, which is the beginning of the old one."""
        _remove(self._temporary)
        new = os.fdopen(os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb", _BUFFER)
        os.fchmod(new.fileno(), _MODE)
        if self._old is not None:
            self._old.seek(0)
            remaining = self.size
            while remaining:
                remaining -= new.write(self._old.read(min(remaining, _BLOCK)))
        return new

    def _close_old(self) -> None:
        if self._old is not None:
            self._old.close()


class Staging:
    """One component's folder. What a run does not write is removed by `finish`. Threads may write different files.

    Attributes:
        folder: the component's folder.
        digests: SHA-256 in hex of each file written, by its path relative to the folder.
        size: sum of the sizes of these files, in bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._states: dict[str, _FileState] = {}
        self._folders = {PurePosixPath(".")}
        self.digests: dict[str, str] = {}
        self.size = 0
        self._lock = threading.Lock()
        _make_folder(folder)

    @contextmanager
    def file(self, name: str) -> Iterator[StagedFile]:
        """Write a file in pieces. Where the block ends with an exception, the file of the last run stays."""
        path = self._place(name)
        file = StagedFile(path)
        try:
            yield file
            digest = file.close()
            state = _state(path)
        except BaseException:
            file.discard()
            raise
        with self._lock:
            self.digests[name] = digest
            self._states[name] = state
            self.size += file.size

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file."""
        with self.file(name) as file:
            file.write(content)

    def write_json(self, name: str, document: object) -> None:
        """Write a document as JSON with sorted keys."""
        self.write(name, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")

    def copy(self, name: str, source: BinaryIO) -> str:
        """Write a file from a stream; return the SHA-256 of its bytes in hex."""
        with self.file(name) as file:
            while block := source.read(_BLOCK):
                file.write(block)
        return self.digests[name]

    def finish(self) -> None:
        """Remove what an earlier run wrote and this one did not."""
        kept = {self.folder / name for name in self.digests}
        folders = {self.folder / folder for folder in self._folders}
        for parent, names, files in os.walk(self.folder, topdown=False):
            for name in (*names, *files):
                path = Path(parent, name)
                if path not in kept and path not in folders:
                    _remove(path)

    def altered(self) -> list[str]:
        """Return the paths of what was added, replaced, removed or written to since it was staged."""
        present = {
            path.relative_to(self.folder).as_posix(): _state(path)
            for parent, folders, files in os.walk(self.folder)
            for path in (Path(parent, name) for name in (*folders, *files))
            if path.is_symlink() or not path.is_dir()
        }
        names = sorted(present.keys() | self._states.keys())
        return [name for name in names if present.get(name) != self._states.get(name)]

    def _place(self, name: str) -> Path:
        """Return the path of a file below the folder; make the folders above it, and remove a folder in its place."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or str(relative) != name or name in self.digests:
            raise ValueError(f"staged file {name!r}: expected a new relative path")
        with self._lock:
            for parent in reversed(relative.parents):
                if parent not in self._folders:
                    _make_folder(self.folder / parent)
                    self._folders.add(parent)
        path = self.folder / relative
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        return path


class _FileState(NamedTuple):
    """What changes when a file is replaced or written to: by these, restic recognizes a file of its last snapshot."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


def _state(path: Path) -> _FileState:
    status = path.lstat()
    return _FileState(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _open_regular(path: Path) -> BinaryIO | None:
    """Open a regular file with the mode of a staged file for reading; return None for anything else."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return None
        if stat.S_IMODE(status.st_mode) != _MODE:  # chmod changes the file's ctime, after which restic reads it again
            path.chmod(_MODE)
        return path.open("rb")
    except FileNotFoundError:
        return None


def _make_folder(path: Path) -> None:
    """Create a folder with mode 0700; replace whatever else has its name."""
    if path.is_symlink() or not path.is_dir():
        _remove(path)
        path.mkdir()
    path.chmod(0o700)


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
