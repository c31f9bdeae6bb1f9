# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of FUSE, carried out on the NFS server as the calling user, so that the server checks permissions."""

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

from tars_lab.nfs_client.server import STATVFS, Entry, Server, Stat, Statvfs, UnreachableError

_CHUNK = 1 << 20
_MEMBERS = ("ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blocks")
_READS = ("nfs_lstat64", "nfs_readlink", "nfs_statvfs64", "nfs_access")
# <sys/stat.h>: values of tv_nsec that mean "now" and "no change".
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


@dataclass
class _Open:
    path: str
    flags: int
    user: tuple[int, int]
    generation: int
    handle: ctypes.c_void_p = field(default_factory=ctypes.c_void_p)


class Files(mfusepy.Operations):  # type: ignore[misc]  # mfusepy carries no annotations
    """The operations of FUSE, carried out on the server.

    Names and arguments of the methods are mfusepy's. They raise FuseOSError with the errno of the server's answer.
    """

    use_ns = True

    def __init__(self, server: Server) -> None:
        self._server = server
        self._open: dict[int, _Open] = {}
        self._next = 1
        self._away = False
        self._listed: dict[str, dict[str, int]] = {}
        """Attributes in the folder that was listed last, which came with its entries as to the kernel's client."""
        self._listed_for: tuple[tuple[int, int], float] = ((0, 0), 0.0)
        """For which user, and until when (time.monotonic)."""

    def _retry(self, attempt: Callable[[], Any]) -> Any:
        """Repeat a call until the server answers; on a soft mount fail with EIO after its time limit."""
        limit_s = self._server.mount.limit_s
        deadline = None if limit_s is None else time.monotonic() + limit_s
        # The first failure may be a connection that broke while it was idle; a server known to be away gets one try.
        tries = 1 if self._away else 2
        while True:
            try:
                answer = attempt()
            except UnreachableError as error:
                tries -= 1
                if deadline is not None and (time.monotonic() > deadline or tries <= 0):
                    self._set_away(True, str(error))
                    raise mfusepy.FuseOSError(errno.EIO) from error
                if tries <= 0:
                    self._set_away(True, str(error))
                    time.sleep(1)
            except OSError as error:
                self._set_away(False)
                raise mfusepy.FuseOSError(error.errno) from error
            else:
                self._set_away(False)
                return answer

    def _set_away(self, away: bool, reason: str = "") -> None:
        """Log when the server stops or starts answering, in the words of the kernel's client."""
        if away != self._away:
            self._away = away
            server = self._server.mount.server
            syslog.syslog(f"nfs: server {server} not responding: {reason}" if away else f"nfs: server {server} OK")

    def _call(self, function: str, path: str, *arguments: Any) -> int:
        if function not in _READS:
            self._listed = {}
        user = _caller()
        return int(self._retry(lambda: self._server.call(function, os.fsencode(path), *arguments, user=user)))

    # Folders and attributes

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Return the attributes of a path, times in nanoseconds."""
        user, until = self._listed_for
        if path in self._listed and time.monotonic() < until and user == _caller():
            return self._listed[path]
        attributes = Stat()
        self._call("nfs_lstat64", path, ctypes.byref(attributes))
        return _attributes(attributes)

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        """Return the entries of a folder: name, attributes and offset 0."""
        user = _caller()
        until = time.monotonic() + self._server.mount.cache_s / 2

        def attempt() -> dict[str, dict[str, int]]:
            return {os.fsdecode(entry.name): _attributes(entry) for entry in self._server.entries(path, user)}

        entries: dict[str, dict[str, int]] = self._retry(attempt)
        others = {name: attributes for name, attributes in entries.items() if name not in (".", "..")}
        self._listed = {f"{path.rstrip('/')}/{name}": attributes for name, attributes in others.items()}
        self._listed_for = user, until
        # Programs with the old readdir call, shells among them, take an entry without an inode number for deleted.
        always = [(".", 1, stat.S_IFDIR), ("..", 1, stat.S_IFDIR)]
        kinds = [(name, each["st_ino"] or 1, stat.S_IFMT(each["st_mode"])) for name, each in others.items()]
        return [(name, {"st_ino": inode, "st_mode": kind}, 0) for name, inode, kind in always + kinds]

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        target = ctypes.create_string_buffer(os.pathconf("/", "PC_PATH_MAX"))
        self._call("nfs_readlink", path, target, len(target))
        # libnfs 5 does not end the target in the buffer; bytes of the reply follow it.
        return os.fsdecode(target.raw[: self.getattr(path)["st_size"]])

    def statfs(self, path: str) -> dict[str, int]:
        """Return the sizes of the file system, as statvfs(3) names them."""
        sizes = Statvfs()
        self._call("nfs_statvfs64", path, ctypes.byref(sizes))
        return {f"f_{name}": getattr(sizes, name) for name in STATVFS.split() if name not in ("fsid", "flag")}

    def access(self, path: str, amode: int) -> int:
        """Check the caller's access; return 0."""
        return self._call("nfs_access", path, amode)

    def mkdir(self, path: str, mode: int) -> int:
        """Create a folder; return 0."""
        return self._call("nfs_mkdir2", path, mode & 0o7777)

    def rmdir(self, path: str) -> int:
        """Remove an empty folder; return 0."""
        return self._call("nfs_rmdir", path)

    def unlink(self, path: str) -> int:
        """Remove a file; return 0."""
        return self._call("nfs_unlink", path)

    def symlink(self, target: str, source: str) -> int:
        """Create the symbolic link `source` that points to `target`; return 0."""
        return self._call("nfs_symlink", source, os.fsencode(target))

    def link(self, target: str, source: str) -> int:
        """Create the hard link `target` to `source`; return 0."""
        return self._call("nfs_link", source, os.fsencode(target))

    def rename(self, old: str, new: str) -> int:
        """Rename a path, also for files that are open; return 0."""
        self._call("nfs_rename", old, os.fsencode(new))
        for entry in self._open.values():
            if entry.path == old:
                entry.path = new
        return 0

    def chmod(self, path: str, mode: int) -> int:
        """Set the mode of a path; return 0."""
        return self._call("nfs_chmod", path, stat.S_IMODE(mode))

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Set the owner of a regular file; return 0. Other kinds of files fail with EOPNOTSUPP."""
        now = self.getattr(path)
        if not stat.S_ISREG(now["st_mode"]):
            # nfs_chown of libnfs 5 changes the folder above instead; nfs_fchown works, but needs an open file.
            raise mfusepy.FuseOSError(errno.EOPNOTSUPP)
        keep = (-1, 0xFFFFFFFF)
        number = self.open(path, os.O_RDONLY)
        try:
            owner = now["st_uid"] if uid in keep else uid
            return self._on_open(number, "nfs_fchown", owner, now["st_gid"] if gid in keep else gid)
        finally:
            self.release(path, number)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set the times of last access and change, in nanoseconds, None for now; return 0."""
        now = self.getattr(path)
        new_times = []
        for index, name in enumerate(("st_atime", "st_mtime")):
            moment = times[index] if times else _UTIME_NOW
            new_times.append({_UTIME_NOW: time.time_ns(), _UTIME_OMIT: now[name]}.get(moment, moment))
        values = [part for moment in new_times for part in (moment // 10**9, moment % 10**9 // 1000)]
        return self._call("nfs_lutimes", path, (ctypes.c_long * 4)(*values))

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Set the length of a file in bytes; return 0."""
        return self._call("nfs_truncate", path, ctypes.c_uint64(length))

    # Open files

    def open(self, path: str, flags: int) -> int:
        """Open a file; return its handle."""
        return self._register_open(path, flags & (os.O_ACCMODE | os.O_TRUNC), None)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """Create and open a file; return its handle."""
        number = self._register_open(path, os.O_RDWR | os.O_CREAT, stat.S_IMODE(mode))
        # libnfs 5 gives every new file mode 0600 over NFS 4.
        self.chmod(path, mode)
        return number

    def _register_open(self, path: str, flags: int, mode: int | None) -> int:
        entry = _Open(path, flags, _caller(), 0)
        self._listed = {}  # as the kernel's client, it asks again for the attributes of a file that is opened
        self._retry(lambda: self._open_on_server(entry, mode))
        # When it is opened again after a reconnection, it must be neither truncated nor created.
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
        if function != "nfs_pread":
            self._listed = {}
        entry = self._open[fh]

        def attempt() -> int:
            if entry.generation != self._server.generation or not self._server.connected:
                self._open_on_server(entry)
            return self._server.call(function, entry.handle, *arguments, user=entry.user)

        return int(self._retry(attempt))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Return up to `size` bytes from `offset`, fewer only at the end of the file."""
        content = b""
        while len(content) < size:
            count = min(size - len(content), _CHUNK)
            buffer = ctypes.create_string_buffer(count)
            place = ctypes.c_uint64(offset + len(content))
            received = self._on_open(fh, "nfs_pread", place, ctypes.c_uint64(count), buffer)
            if received == 0:
                break
            content += buffer.raw[:received]
        return content

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write all of `data` at `offset`; return its length."""
        done = 0
        while done < len(data):
            part = data[done : done + _CHUNK]
            done += self._on_open(fh, "nfs_pwrite", ctypes.c_uint64(offset + done), ctypes.c_uint64(len(part)), part)
        return done

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Write the file to the server's disk; return 0."""
        return self._on_open(fh, "nfs_fsync")

    def release(self, path: str, fh: int) -> int:
        """Close a file; return 0. A failure is logged, as close(2) has no way to report it to the kernel."""
        entry = self._open.pop(fh)
        if entry.generation == self._server.generation and self._server.connected:
            try:
                self._server.call("nfs_close", entry.handle, user=entry.user)
            except (OSError, UnreachableError) as error:
                syslog.syslog(f"nfs: closing {path}: {error}")
        return 0


def _attributes(source: Stat | Entry) -> dict[str, int]:
    """Return what stat(2) states, times in nanoseconds."""
    result = {f"st_{name}": int(getattr(source, name)) for name in _MEMBERS}
    for name in ("atime", "mtime", "ctime"):
        result[f"st_{name}"] = getattr(source, name) * 10**9 + getattr(source, f"{name}_nsec")
    return result


def _caller() -> tuple[int, int]:
    uid, gid, _ = mfusepy.fuse_get_context()
    return uid, gid
