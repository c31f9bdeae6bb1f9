# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to an NFS server through libnfs. A call returns the server's answer or raises UnreachableError."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from tars_lab.nfs_client.options import PORT, Mount

# Errors that a server reports about a file. All others concern the connection, which is then opened again.
_ANSWER_NAMES = (
    "EPERM ENOENT EACCES EEXIST ENOTDIR EISDIR EINVAL EFBIG ENOSPC EROFS EXDEV EMLINK ENAMETOOLONG ENOTEMPTY EDQUOT "
    "ENXIO ENODEV ENOTSUP ELOOP"
)
_ANSWERS = frozenset(getattr(errno, name) for name in _ANSWER_NAMES.split())
# The members of libnfs.h's struct nfs_stat_64 and struct nfs_statvfs_64, all of 64 bits.
_STAT = "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec mtime_nsec ctime_nsec used"
STATVFS = "bsize frsize blocks bfree bavail files ffree favail fsid flag namemax"

_pointer = ctypes.c_void_p


class Stat(ctypes.Structure):
    """Struct nfs_stat_64: the attributes of a file."""

    _fields_ = [(name, ctypes.c_uint64) for name in _STAT.split()]


class Statvfs(ctypes.Structure):
    """Struct nfs_statvfs_64: the sizes of a file system."""

    _fields_ = [(name, ctypes.c_uint64) for name in STATVFS.split()]


class Entry(ctypes.Structure):
    """Struct nfsdirent of libnfs.h: an entry of a folder, with its attributes."""

    _fields_ = [
        ("next", _pointer),
        ("name", ctypes.c_char_p),
        ("ino", ctypes.c_uint64),
        ("type", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("size", ctypes.c_uint64),
        *((name, ctypes.c_long) for second in ("atime", "mtime", "ctime") for name in (second, f"{second}_usec")),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("nlink", ctypes.c_uint32),
        ("dev", ctypes.c_uint64),
        ("rdev", ctypes.c_uint64),
        ("blksize", ctypes.c_uint64),
        ("blocks", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("atime_nsec", "mtime_nsec", "ctime_nsec")),
    ]


# libnfs 5, and libnfs 4 of Debian 12; the functions and structures that this module uses are the same in both.
_SONAMES = ("libnfs.so.14", "libnfs.so.13")


def _libnfs() -> ctypes.CDLL:
    for name in _SONAMES:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(name)
            break
    else:
        raise OSError(f"libnfs: none of {', '.join(_SONAMES)} found; install libnfs14 (Debian 12: libnfs13)")
    library.nfs_init_context.restype = _pointer
    library.nfs_get_error.restype = ctypes.c_char_p
    library.nfs_readdir.restype = ctypes.POINTER(Entry)
    return library


class UnreachableError(Exception):
    """The server does not answer, or has lost the state of this client."""


class Server:
    """One NFS connection at a time. `generation` counts the connections; a new one invalidates open files."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.generation = 0
        self._library = _libnfs()
        self._context: int | None = None
        self._user: tuple[int, int] | None = None

    def connect(self) -> None:
        """Open a new connection. Raises UnreachableError, or OSError with the error that the server reports."""
        self.disconnect()
        wait_s = min(self.mount.timeout_s, 5.0)
        try:
            # libnfs uses the kernel's time limit for an address that does not answer, which is minutes.
            socket.create_connection((self.mount.server, PORT), timeout=wait_s).close()
        except OSError as error:
            raise UnreachableError(str(error)) from error
        context = self._library.nfs_init_context()
        self._library.nfs_set_version(_pointer(context), 4)
        self._library.nfs_set_timeout(_pointer(context), int(self.mount.timeout_s * 1000))
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
            raise UnreachableError(message)

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has not failed."""
        return self._context is not None

    def disconnect(self) -> None:
        """Drop the connection, if there is one."""
        if self._context is not None:
            self._library.nfs_destroy_context(_pointer(self._context))
            self._context = None

    def call(self, function: str, *arguments: Any, user: tuple[int, int]) -> int:
        """Call a function of libnfs once, as `user` (uid and gid); return its result.

        Raises OSError with the error that the server reports, UnreachableError when the connection fails.
        """
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
        raise UnreachableError(f"{function}: {os.strerror(-code)}: {message}")

    def entries(self, path: str, user: tuple[int, int]) -> Iterator[Entry]:
        """Yield the entries of a folder; each is valid until the next one. Raises as `call`."""
        folder = _pointer()
        self.call("nfs_opendir", os.fsencode(path), ctypes.byref(folder), user=user)
        try:
            while entry := self._library.nfs_readdir(_pointer(self._context), folder):
                yield entry.contents
        finally:
            self._library.nfs_closedir(_pointer(self._context), folder)
