# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system through FUSE that passes all calls on to a folder, or fails or hangs as its control file states.

python -m tests.integration.backup.repository.faulty_share FOLDER MOUNT_POINT CONTROL SOURCE

The control file has two words, for calls that read and calls that write: `ok`, `hang`, or the name of an error such as
EROFS. A third one can name a call with an error of its own, `chmod=EOPNOTSUPP`, or the number of bytes that are written
before any of this begins, `after=1000000`.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

_READS = ("access", "getattr", "open", "read", "readdir", "statfs")
_WRITES = ("chmod", "create", "fsync", "fsyncdir", "mkdir", "rename", "rmdir", "truncate", "unlink", "utimens", "write")


class Share(mfusepy.Operations):  # type: ignore[misc]  # mfusepy carries no annotations
    """Pass calls on to a folder."""

    use_ns = True

    def __init__(self, folder: Path, control: Path) -> None:
        self._folder = folder
        self._control = control
        self._written = 0

    def __getattribute__(self, name: str) -> Any:
        """Return a method, which for a call on files first waits or fails as the control file states."""
        method = super().__getattribute__(name)
        return functools.partial(self._controlled, name, method) if name in _READS + _WRITES else method

    def _controlled(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        while (word := self._word(name)) == "hang":
            time.sleep(0.2)
        if word != "ok":
            raise OSError(getattr(errno, word), "")
        return method(*arguments)

    def _word(self, name: str) -> str:
        words = self._control.read_text().split()
        options = dict(word.split("=") for word in words[2:])
        if self._written < int(options.get("after", 0)):
            return "ok"
        return options.get(name, words[name in _WRITES])

    def _path(self, path: str) -> Path:
        return self._folder / path.lstrip("/")

    def access(self, path: str, amode: int) -> int:
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._path(path))
        names = ("st_atime_ns", "st_ctime_ns", "st_mtime_ns")
        times = {name.removesuffix("_ns"): getattr(status, name) for name in names}
        return times | {
            name: getattr(status, name) for name in ("st_gid", "st_ino", "st_mode", "st_nlink", "st_size", "st_uid")
        }

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._path(path))]

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(self._path(path))
        names = (
            "f_bavail",
            "f_bfree",
            "f_blocks",
            "f_bsize",
            "f_favail",
            "f_ffree",
            "f_files",
            "f_frsize",
            "f_namemax",
        )
        return {name: getattr(status, name) for name in names}

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._path(path), mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int]) -> int:
        os.utime(self._path(path), ns=times)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._path(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._path(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._path(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._path(old), self._path(new))
        return 0

    def open(self, path: str, flags: int) -> int:
        return os.open(self._path(path), flags)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._path(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._written += len(data)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._path(path), length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


if __name__ == "__main__":
    _folder, _mount_point, _control, _source = sys.argv[1:]
    mfusepy.FUSE(
        Share(Path(_folder), Path(_control)),
        _mount_point,
        foreground=True,
        nothreads=False,
        allow_other=True,
        fsname=_source,
        subtype="nfs4",
        direct_io=True,
        attr_timeout=0,
        entry_timeout=0,
    )
