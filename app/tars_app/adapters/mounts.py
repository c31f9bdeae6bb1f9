# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the mounted shares: their folders, their files, and the content of a file.

A NAS that is down must never be taken for a NAS whose files were deleted. So a share that is not mounted or does not
answer raises `ShareUnavailableError`, and nothing is concluded from it. An entry that cannot be read on a share that
answers is reported, and the rest is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".txt", ".md", ".markdown", ".pdf"})
_SKIPPED_PREFIXES = (".", "@", "#", "~$")
_TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")
_BLOCK = 1024 * 1024


_UNREACHABLE = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
    }
)
"""Errors of the connection to the NAS, whichever entry was asked for."""


class ShareUnavailableError(Exception):
    """The folder does not exist, is not mounted, or does not answer."""


@dataclass(frozen=True)
class FileStatus:
    """Size in bytes and modification time in nanoseconds of a file."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class ShareListing:
    """The documents of a share by path, and the paths of entries that cannot be read, with the reason."""

    files: dict[str, FileStatus]
    unreadable: dict[str, str]


def is_document(name: str) -> bool:
    """Return whether a file of this name is read. Hidden, lock and temporary files, `@eaDir` and `#recycle` are not."""
    return not _is_skipped(name) and os.path.splitext(name)[1].lower() in SUFFIXES


def _is_skipped(name: str) -> bool:
    return name.startswith(_SKIPPED_PREFIXES) or name.lower().endswith(_TEMPORARY_SUFFIXES) or not _is_text(name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8 cannot be stored as a path
        return False
    return True


def find_shares(roots: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """Return the folders directly under the roots by name, and one sentence per root or folder that cannot be read.

    Where two roots hold the same name, the first one counts.
    """
    shares: dict[str, Path] = {}
    problems: list[str] = []
    for root in roots:
        try:
            with os.scandir(root) as entries:
                folders = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"{root}: {reason(error)}")
            continue
        for entry in folders:
            try:
                if entry.is_dir(follow_symlinks=False) and not _is_skipped(entry.name):
                    shares.setdefault(entry.name, Path(entry.path))
            except OSError as error:
                problems.append(f"{entry.path}: {reason(error)}")
    return shares, problems


def list_share(root: Path, require_mount: bool = True, progress: Callable[[], None] = lambda: None) -> ShareListing:
    """Return every document below `root`. Symbolic links are not followed; `progress` is called after each folder.

    Raises:
        ShareUnavailableError: it is not mounted, was mounted again meanwhile, or does not answer.
    """
    try:
        os.listdir(root)  # before anything else: this is what makes an automount mount
        mount = _mount_of(root) if require_mount else None
    except OSError as error:
        raise ShareUnavailableError(f"{error.filename or root}: {reason(error)}") from error
    listing = ShareListing({}, {})
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    folders.extend(_list_entry(root, folder, entry, listing))
        except OSError as error:
            if not folder:
                raise ShareUnavailableError(f"{root}: {reason(error)}") from error
            _report(root, folder, error, listing)
        progress()
    if require_mount and _mount_of(root) != mount:
        raise ShareUnavailableError(f"{root} was mounted again while it was being read; the next pass reads it")
    return listing


def _list_entry(root: Path, folder: str, entry: os.DirEntry[str], listing: ShareListing) -> list[str]:
    """Add an entry to the listing; return its path if it is a folder to list."""
    path = f"{folder}/{entry.name}" if folder else entry.name
    if _is_skipped(entry.name):
        return []
    try:
        if entry.is_dir(follow_symlinks=False):
            return [path]
        if entry.is_file(follow_symlinks=False) and is_document(entry.name):
            status = entry.stat(follow_symlinks=False)
            listing.files[path] = FileStatus(status.st_size, status.st_mtime_ns)
    except OSError as error:
        _report(root, path, error, listing)
    return []


def _report(root: Path, path: str, error: OSError, listing: ShareListing) -> None:
    require_answer(root, error)
    listing.unreadable[path] = reason(error)


def require_answer(root: Path, error: OSError) -> None:
    """Raise ShareUnavailableError if an error of one entry is one of its whole share; return if the share answers."""
    if error.errno in _UNREACHABLE:
        raise ShareUnavailableError(f"{root}: {reason(error)}") from error
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except OSError as failure:
        raise ShareUnavailableError(f"{root}: {reason(failure)}") from failure


def reason(error: OSError) -> str:
    """Return the operating system's name of an error, as "Input/output error"."""
    return error.strerror or str(error) or type(error).__name__


def _mount_of(root: Path) -> str:
    """Return the id of the file system mounted on `root` (proc(5), /proc/pid/mountinfo)."""
    mount: tuple[str, str] | None = None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            fields = left.split(" ")
            if _unescape(fields[4]) == str(root):
                mount = fields[0], right.split(" ")[0]  # the last one listed lies on top
    if mount is None:
        raise ShareUnavailableError(f"{root} is not mounted")
    if mount[1] == "autofs":
        raise ShareUnavailableError(f"{root}: its automount has not mounted it; is the NAS on?")
    return mount[0]


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


@contextmanager
def open_beneath(root: Path, path: str) -> Iterator[int]:
    """Yield a descriptor of the regular file `path` below `root`; links that were put in its way are refused.

    Raises:
        PermissionError: it lies outside `root`, is a link, or may not be read.
        OSError: as open(2).
    """
    try:
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(errno.EACCES, "is a symbolic link", path) from error
        raise
    try:
        real = os.readlink(f"/proc/self/fd/{descriptor}")
        if not real.startswith(f"{os.path.realpath(root)}/"):
            raise PermissionError(errno.EACCES, "lies outside its share", path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PermissionError(errno.EACCES, "is not a regular file", path)
        yield descriptor
    finally:
        os.close(descriptor)


def fingerprint(root: Path, path: str) -> tuple[FileStatus, str] | None:
    """Return status and SHA-256 (hex) of a file, None where it changed while it was being read.

    Raises:
        OSError: as `open_beneath`.
    """
    with open_beneath(root, path) as descriptor:
        before = os.fstat(descriptor)
        digest = hashlib.sha256()
        while block := os.read(descriptor, _BLOCK):
            digest.update(block)
        after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return FileStatus(after.st_size, after.st_mtime_ns), digest.hexdigest()


def read_file(root: Path, path: str, limit: int) -> bytes:
    """Return the content of a file, at most `limit` + 1 bytes.

    Raises:
        OSError: as `open_beneath`.
    """
    with open_beneath(root, path) as descriptor:
        parts: list[bytes] = []
        left = limit + 1
        while left > 0 and (block := os.read(descriptor, min(_BLOCK, left))):
            parts.append(block)
            left -= len(block)
    return b"".join(parts)
