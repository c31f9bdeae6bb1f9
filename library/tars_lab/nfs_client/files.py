# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations FUSE asks for, carried out on the server as the user who asks, so that the server decides."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import syslog
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mfusepy

from tars_lab.nfs_client.server import STATVFS, Server, Stat, Statvfs, Unreachable

_CHUNK = 1 << 20
# <sys/stat.h>: in place of nanoseconds, the present moment and no change.
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


@dataclass
class _Open:
    path: str
    flags: int
    user: tuple[int, int]
    generation: int
    handle: ctypes.c_void_p = field(default_factory=ctypes.c_void_p)


class Files(mfusepy.Operations):  # type: ignore[misc]  # mfusepy carries no annotations
    """The operations FUSE asks for, carried out on the server."""

    use_ns = True

    def __init__(self, server: Server) -> None:
        self._server = server
        self._open: dict[int, _Open] = {}
        self._next = 1
        self._away = False

    def _patiently(self, attempt: Callable[[], Any]) -> Any:
        """Try until the server has answered, or the mount's patience is at its end (then EIO, as a soft mount)."""
        patience = self._server.mount.patience
        deadline = None if patience is None else time.monotonic() + patience
        # A first failure may be a connection that died while nobody used it; a server known to be away gets one try.
        tries = 1 if self._away else 2
        while True:
            try:
                answer = attempt()
            except Unreachable as error:
                tries -= 1
                if deadline is not None and (time.monotonic() > deadline or tries <= 0):
                    self._notice(True, str(error))
                    raise mfusepy.FuseOSError(errno.EIO) from error
                if tries <= 0:
                    self._notice(True, str(error))
                    time.sleep(1)
            except OSError as error:
                self._notice(False)
                raise mfusepy.FuseOSError(error.errno) from error
            else:
                self._notice(False)
                return answer

    def _notice(self, away: bool, why: str = "") -> None:
        if away != self._away:
            self._away = away
            server = self._server.mount.server
            syslog.syslog(f"nfs: server {server} not responding: {why}" if away else f"nfs: server {server} OK")

    def _call(self, function: str, path: str, *arguments: Any) -> int:
        user = _caller()
        return int(self._patiently(lambda: self._server.call(function, os.fsencode(path), *arguments, user=user)))

    # Folders and attributes

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = Stat()
        self._call("nfs_lstat64", path, ctypes.byref(found))
        members = ("ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blocks")
        attributes = {f"st_{name}": getattr(found, name) for name in members}
        for name in ("atime", "mtime", "ctime"):
            attributes[f"st_{name}"] = getattr(found, name) * 10**9 + getattr(found, f"{name}_nsec")
        return attributes

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        user = _caller()
        entries: list[tuple[str, int, int]] = self._patiently(lambda: self._server.entries(path, user))
        found = [entry for entry in entries if entry[0] not in (".", "..")]
        # An entry without an inode number counts as deleted for those who read folders the old way, shells among them.
        always = [(".", 1, stat.S_IFDIR), ("..", 1, stat.S_IFDIR)]
        return [(name, {"st_ino": inode or 1, "st_mode": kind}, 0) for name, inode, kind in always + found]

    def readlink(self, path: str) -> str:
        target = ctypes.create_string_buffer(os.pathconf("/", "PC_PATH_MAX"))
        self._call("nfs_readlink", path, target, len(target))
        # libnfs 5 leaves what follows the target in the reply behind it.
        return os.fsdecode(target.raw[: self.getattr(path)["st_size"]])

    def statfs(self, path: str) -> dict[str, int]:
        found = Statvfs()
        self._call("nfs_statvfs64", path, ctypes.byref(found))
        return {f"f_{name}": getattr(found, name) for name in STATVFS.split() if name not in ("fsid", "flag")}

    def access(self, path: str, amode: int) -> int:
        return self._call("nfs_access", path, amode)

    def mkdir(self, path: str, mode: int) -> int:
        return self._call("nfs_mkdir2", path, mode & 0o7777)

    def rmdir(self, path: str) -> int:
        return self._call("nfs_rmdir", path)

    def unlink(self, path: str) -> int:
        return self._call("nfs_unlink", path)

    def symlink(self, target: str, source: str) -> int:
        return self._call("nfs_symlink", source, os.fsencode(target))

    def link(self, target: str, source: str) -> int:
        return self._call("nfs_link", source, os.fsencode(target))

    def rename(self, old: str, new: str) -> int:
        self._call("nfs_rename", old, os.fsencode(new))
        for entry in self._open.values():
            if entry.path == old:
                entry.path = new
        return 0

    def chmod(self, path: str, mode: int) -> int:
        return self._call("nfs_chmod", path, stat.S_IMODE(mode))

    def chown(self, path: str, uid: int, gid: int) -> int:
        now = self.getattr(path)
        if not stat.S_ISREG(now["st_mode"]):
            # nfs_chown of libnfs 5 changes the folder above instead; only what can be opened has another way.
            raise mfusepy.FuseOSError(errno.EOPNOTSUPP)
        keep = (-1, 0xFFFFFFFF)
        number = self.open(path, os.O_RDONLY)
        try:
            owner = now["st_uid"] if uid in keep else uid
            return self._on_open(number, "nfs_fchown", owner, now["st_gid"] if gid in keep else gid)
        finally:
            self.release(path, number)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        now = self.getattr(path)
        given = []
        for place, name in enumerate(("st_atime", "st_mtime")):
            moment = times[place] if times else _UTIME_NOW
            given.append({_UTIME_NOW: time.time_ns(), _UTIME_OMIT: now[name]}.get(moment, moment))
        values = [part for moment in given for part in (moment // 10**9, moment % 10**9 // 1000)]
        return self._call("nfs_lutimes", path, (ctypes.c_long * 4)(*values))

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return self._call("nfs_truncate", path, ctypes.c_uint64(length))

    # Open files

    def open(self, path: str, flags: int) -> int:
        return self._opened(path, flags & (os.O_ACCMODE | os.O_TRUNC), None)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        number = self._opened(path, os.O_RDWR | os.O_CREAT, stat.S_IMODE(mode))
        # libnfs 5 makes every file 0600 over NFS 4.
        self.chmod(path, mode)
        return number

    def _opened(self, path: str, flags: int, mode: int | None) -> int:
        entry = _Open(path, flags, _caller(), 0)
        self._patiently(lambda: self._open_on_server(entry, mode))
        # Opened again, after a reconnection, it must neither be emptied nor made.
        entry.flags = flags & os.O_ACCMODE
        number, self._next = self._next, self._next + 1
        self._open[number] = entry
        return number

    def _open_on_server(self, entry: _Open, mode: int | None = None) -> None:
        arguments = [os.fsencode(entry.path), entry.flags] + ([] if mode is None else [mode])
        handle = ctypes.c_void_p()
        function = "nfs_open" if mode is None else "nfs_open2"
        self._server.call(function, *arguments, ctypes.byref(handle), user=entry.user)
        entry.handle, entry.generation = handle, self._server.generation

    def _on_open(self, fh: int, function: str, *arguments: Any) -> int:
        entry = self._open[fh]

        def attempt() -> int:
            if entry.generation != self._server.generation or not self._server.connected:
                self._open_on_server(entry)
            return self._server.call(function, entry.handle, *arguments, user=entry.user)

        return int(self._patiently(attempt))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        content = b""
        while len(content) < size:
            want = min(size - len(content), _CHUNK)
            buffer = ctypes.create_string_buffer(want)
            got = self._on_open(fh, "nfs_pread", ctypes.c_uint64(offset + len(content)), ctypes.c_uint64(want), buffer)
            if got == 0:
                break
            content += buffer.raw[:got]
        return content

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        done = 0
        while done < len(data):
            part = data[done : done + _CHUNK]
            done += self._on_open(fh, "nfs_pwrite", ctypes.c_uint64(offset + done), ctypes.c_uint64(len(part)), part)
        return done

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return self._on_open(fh, "nfs_fsync")

    def release(self, path: str, fh: int) -> int:
        entry = self._open.pop(fh)
        if entry.generation == self._server.generation and self._server.connected:
            try:
                self._server.call("nfs_close", entry.handle, user=entry.user)
            except (OSError, Unreachable) as error:
                syslog.syslog(f"nfs: closing {path}: {error}")
        return 0


def _caller() -> tuple[int, int]:
    uid, gid, _ = mfusepy.fuse_get_context()
    return uid, gid
