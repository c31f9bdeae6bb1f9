# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system on which chosen calls fail: `python faulty_share.py SOURCE MOUNT_POINT DEAD`.

It shows the folder SOURCE, read-only. A name such as `read-EIO.txt` or `list-ESTALE` contains the call that fails on it
(list, stat, open or read) and the error; `dated 99.txt` has a modification time of 99 s after 1970. While the file DEAD
exists, every call fails with EIO, as on a soft mount of a server that is down; while it contains "hang", every call
waits, as on a hard mount.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import mfusepy

FAULT = re.compile(r"(list|stat|open|read)-(E[A-Z]+)")


class FaultyShare(mfusepy.Operations):  # type: ignore[misc]  # mfusepy carries no annotations
    """The calls that a reader makes."""

    use_ns = True

    def __init__(self, source: Path, dead: Path) -> None:
        self._source = source
        self._dead = dead

    def _real(self, path: str, call: str) -> str:
        while self._hangs():
            time.sleep(0.05)
        if self._dead.exists():
            raise mfusepy.FuseOSError(errno.EIO)
        fault = FAULT.search(path.rsplit("/", 1)[-1])
        if fault and fault[1] == call:
            raise mfusepy.FuseOSError(getattr(errno, fault[2]))
        return f"{self._source}{path}"

    def _hangs(self) -> bool:
        try:
            return self._dead.read_text() == "hang"
        except FileNotFoundError:
            return False

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._real(path, "stat"))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_mtime", "st_ino")
        attributes = {name: getattr(status, name) for name in names}
        attributes["st_mtime"] = status.st_mtime_ns
        if dated := re.search(r"dated (-?\d+)", path):
            attributes["st_mtime"] = int(dated[1]) * 10**9
        return attributes

    def opendir(self, path: str) -> int:
        self._real(path, "list")
        return 0

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path, "list"))]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path, "open"), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._real(path, "read")
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)


if __name__ == "__main__":
    source, mount_point, dead = map(Path, sys.argv[1:])
    mfusepy.FUSE(
        FaultyShare(source, dead),
        str(mount_point),
        foreground=True,
        nothreads=True,
        ro=True,
        attr_timeout=0,
        entry_timeout=0,
    )
