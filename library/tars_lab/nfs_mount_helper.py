#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mount.nfs4 for a kernel without an NFS client: NFS 4 by libnfs, shown to the kernel through FUSE.

mount(8) calls it as `mount.nfs4 SPEC DIR [-sfnv] [-o OPTIONS]`. It exits with 0 when the file system is mounted and
leaves a daemon that ends at umount; otherwise it says why as mount.nfs does, and exits with 32 (1 for wrong usage).
Understood: ro, rw, soft, softerr, hard, timeo (tenths of a second), retrans, retry (minutes), actimeo, and the
flags of the VFS; other options are for the kernel's client and are accepted. Each call is made as the user who asks,
so that the server decides; nothing is believed for longer than two seconds.

Runs on the machine with its own Python: the standard library, mfusepy beside this file, libnfs 5 (Debian's libnfs14).
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import stat
import sys
import syslog
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import mfusepy

_PORT = 2049
_CACHE_SECONDS = 2
_CHUNK = 1 << 20
_FLAGS = ("ro", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "sync", "dirsync")
# What a server says about a file. Anything else is about the connection or its state, and is worth a new connection.
_ANSWER_NAMES = (
    "EPERM ENOENT EACCES EEXIST ENOTDIR EISDIR EINVAL EFBIG ENOSPC EROFS EXDEV EMLINK ENAMETOOLONG ENOTEMPTY EDQUOT "
    "ENXIO ENODEV ENOTSUP ELOOP"
)
_ANSWERS = frozenset(getattr(errno, name) for name in _ANSWER_NAMES.split())
# <sys/stat.h>: in place of nanoseconds, the present moment and no change.
_UTIME_NOW, _UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
# The members of libnfs.h's struct nfs_stat_64 and struct nfs_statvfs_64, all of 64 bits.
_STAT = "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec mtime_nsec ctime_nsec used"
_STATVFS = "bsize frsize blocks bfree bavail files ffree favail fsid flag namemax"

_pointer = ctypes.c_void_p


class _Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in _STAT.split()]


class _Statvfs(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in _STATVFS.split()]


class _Entry(ctypes.Structure):
    """The first members of struct nfsdirent of libnfs.h."""

    _fields_ = [("next", _pointer), ("name", ctypes.c_char_p), ("inode", ctypes.c_uint64)]


def _libnfs() -> ctypes.CDLL:
    library = ctypes.CDLL("libnfs.so.14")
    library.nfs_init_context.restype = _pointer
    library.nfs_get_error.restype = ctypes.c_char_p
    library.nfs_readdir.restype = ctypes.POINTER(_Entry)
    return library


@dataclass(frozen=True)
class Mount:
    """What mount(8) asked for. `patience` is how many seconds a call may take; None is for ever (hard)."""

    server: str
    export: str
    place: str
    timeout: float = 60.0
    patience: float | None = None
    retry: float = 120.0
    cache: float = _CACHE_SECONDS
    flags: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        return f"{self.server}:{self.export}"


def parse(words: list[str]) -> Mount:
    """Read mount(8)'s command line. Raises ValueError with a sentence."""
    options: list[str] = []
    places: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in ("-o", "-t", "-N"):
            value = next(remaining, "")
            options += value.split(",") if word == "-o" else []
        elif not word.startswith("-"):
            places.append(word)
    if len(places) != 2:
        raise ValueError(f"wanted SPEC and DIR, found {places}")
    server, colon, export = places[0].rpartition(":/")
    if not colon or not server:
        raise ValueError(f"{places[0]}: wanted SERVER:/PATH")
    given = dict(option.partition("=")[::2] for option in options if option)
    if "remount" in given:
        raise ValueError("remount is not possible with this helper: unmount and mount again")
    if int(given.get("port", _PORT)) not in (0, _PORT):
        raise ValueError(f"port={given['port']}: libnfs 5 reaches NFS 4 on port {_PORT} alone")
    timeout = int(given.get("timeo", 600)) / 10
    soft = "soft" in given or "softerr" in given
    return Mount(
        server=server.strip("[]"),
        export=f"/{export}",
        place=places[1],
        timeout=timeout,
        patience=timeout * (int(given.get("retrans", 2)) + 1) if soft else None,
        retry=float(given.get("retry", 2)) * 60,
        cache=min(float(given.get("actimeo", _CACHE_SECONDS)), _CACHE_SECONDS),
        flags=tuple(flag for flag in given if flag in _FLAGS),
    )


class Unreachable(Exception):
    """The server does not answer, or has forgotten this client."""


class Server:
    """One NFS connection at a time. `generation` changes with each, and what was opened on an older one is lost."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.generation = 0
        self._library = _libnfs()
        self._context: int | None = None
        self._user: tuple[int, int] | None = None

    def connect(self) -> None:
        """Make a new connection. Raises Unreachable, or OSError with what the server answered."""
        self.disconnect()
        wait = min(self.mount.timeout, 5.0)
        try:
            # libnfs waits for an address that does not answer as long as the kernel does, which is minutes.
            socket.create_connection((self.mount.server, _PORT), timeout=wait).close()
        except OSError as error:
            raise Unreachable(str(error)) from error
        context = self._library.nfs_init_context()
        self._library.nfs_set_version(_pointer(context), 4)
        self._library.nfs_set_timeout(_pointer(context), int(self.mount.timeout * 1000))
        self._library.nfs_set_autoreconnect(_pointer(context), 0)
        self._library.nfs_set_dircache(_pointer(context), 0)
        code = self._library.nfs_mount(_pointer(context), self.mount.server.encode(), os.fsencode(self.mount.export))
        self._context, self._user = context, None
        self.generation += 1
        if code < 0:
            message = (self._library.nfs_get_error(_pointer(context)) or b"").decode(errors="replace")
            self.disconnect()
            if -code in _ANSWERS:
                raise OSError(-code, message)
            raise Unreachable(message)

    @property
    def connected(self) -> bool:
        """Whether the last connection is still believed in."""
        return self._context is not None

    def disconnect(self) -> None:
        """Let go of the connection, if there is one."""
        if self._context is not None:
            self._library.nfs_destroy_context(_pointer(self._context))
            self._context = None

    def call(self, function: str, *arguments: Any, user: tuple[int, int]) -> int:
        """Call a function of libnfs once, as `user`. Raises OSError for an answer, Unreachable for anything else."""
        if self._context is None:
            self.connect()
        context = _pointer(self._context)
        if user != self._user:
            self._library.nfs_set_uid(context, user[0])
            self._library.nfs_set_gid(context, user[1])
            self._user = user
        code = int(getattr(self._library, function)(context, *arguments))
        if code >= 0:
            return code
        if -code in _ANSWERS:
            raise OSError(-code, os.strerror(-code))
        message = (self._library.nfs_get_error(context) or b"").decode(errors="replace")
        self.disconnect()
        raise Unreachable(f"{function}: {os.strerror(-code)}: {message}")

    def names(self, path: str, user: tuple[int, int]) -> list[str]:
        """The names in a folder."""
        folder = _pointer()
        self.call("nfs_opendir", os.fsencode(path), ctypes.byref(folder), user=user)
        try:
            return list(self._names(folder))
        finally:
            self._library.nfs_closedir(_pointer(self._context), folder)

    def _names(self, folder: ctypes.c_void_p) -> Iterator[str]:
        while entry := self._library.nfs_readdir(_pointer(self._context), folder):
            yield os.fsdecode(entry.contents.name)


@dataclass
class _Open:
    path: str
    flags: int
    user: tuple[int, int]
    generation: int
    handle: ctypes.c_void_p = field(default_factory=_pointer)


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
                    select.select([], [], [], 1)
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
        found = _Stat()
        self._call("nfs_lstat64", path, ctypes.byref(found))
        members = ("ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blocks")
        attributes = {f"st_{name}": getattr(found, name) for name in members}
        for name in ("atime", "mtime", "ctime"):
            attributes[f"st_{name}"] = getattr(found, name) * 10**9 + getattr(found, f"{name}_nsec")
        return attributes

    def readdir(self, path: str, fh: int) -> list[str]:
        user = _caller()
        names: list[str] = self._patiently(lambda: self._server.names(path, user))
        return [".", "..", *(name for name in names if name not in (".", ".."))]

    def readlink(self, path: str) -> str:
        target = ctypes.create_string_buffer(os.pathconf("/", "PC_PATH_MAX"))
        self._call("nfs_readlink", path, target, len(target))
        # libnfs 5 leaves what follows the target in the reply behind it.
        return os.fsdecode(target.raw[: self.getattr(path)["st_size"]])

    def statfs(self, path: str) -> dict[str, int]:
        found = _Statvfs()
        self._call("nfs_statvfs64", path, ctypes.byref(found))
        return {f"f_{name}": getattr(found, name) for name in _STATVFS.split() if name not in ("fsid", "flag")}

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
        handle = _pointer()
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


def _first_contact(server: Server) -> None:
    """Connect, trying for as long as `retry` says. Raises SystemExit with mount.nfs's status 32."""
    deadline = time.monotonic() + server.mount.retry
    while True:
        try:
            return server.connect()
        except OSError as error:
            reason = {errno.EACCES: "access denied by server", errno.EPERM: "access denied by server"}.get(
                error.errno or 0, f"{os.strerror(error.errno or 0)} on the server"
            )
            _fail(f"{reason} while mounting {server.mount.spec}")
        except Unreachable as error:
            if time.monotonic() > deadline:
                _fail(f"{server.mount.spec}: {error}")
            time.sleep(1)


def _fail(message: str, status: int = 32) -> None:
    print(f"mount.nfs: {message}", file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """Mount, and stay as a daemon until umount."""
    try:
        mount = parse(sys.argv[1:])
    except ValueError as error:
        _fail(str(error), 1)
    server = Server(mount)
    _first_contact(server)
    syslog.openlog("mount.nfs4", syslog.LOG_PID, syslog.LOG_DAEMON)
    options: dict[str, Any] = dict.fromkeys(mount.flags, True)
    mfusepy.FUSE(
        Files(server),
        mount.place,
        nothreads=True,
        allow_other=True,
        fsname=mount.spec,
        subtype="nfs4",
        attr_timeout=mount.cache,
        entry_timeout=mount.cache,
        use_ino=True,
        **options,
    )


if __name__ == "__main__":
    main()
