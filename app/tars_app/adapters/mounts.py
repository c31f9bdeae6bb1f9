# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the mounted shares: which folders are there, which files are in them, and what is in a file.

A NAS that is away must never look like a NAS whose files were deleted. So a source that is not mounted, or on which any
call fails, raises `ShareUnavailable`, and nobody concludes anything from it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".txt", ".md", ".markdown", ".pdf"})
_SKIPPED_PREFIXES = (".", "@", "#", "~$")
_TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")
_BLOCK = 1024 * 1024


class ShareUnavailable(Exception):
    """The folder is not there, not mounted, or does not answer."""


@dataclass(frozen=True)
class FileStatus:
    """One file as a walk saw it. `size` in bytes."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class ShareListing:
    """What a complete walk found: files by path below the source, and folders that may not be read."""

    files: dict[str, FileStatus]
    unreadable: tuple[str, ...]


def is_document(name: str) -> bool:
    """Whether a file of this name is one to read. Dot files, `@eaDir`, `#recycle`, lock and temporary files are not."""
    return not _is_skipped(name) and os.path.splitext(name)[1].lower() in SUFFIXES


def _is_skipped(name: str) -> bool:
    return name.startswith(_SKIPPED_PREFIXES) or name.lower().endswith(_TEMPORARY_SUFFIXES) or not _is_text(name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 cannot be stored as a path
        return False
    return True


def find_sources(roots: Sequence[Path]) -> dict[str, Path]:
    """The folders directly under the roots, by name; the first root wins where two hold the same name.

    Raises:
        ShareUnavailable: a root itself cannot be listed.
    """
    found: dict[str, Path] = {}
    for root in roots:
        with _as_unavailable(root):
            for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False) and not _is_skipped(entry.name):
                    found.setdefault(entry.name, Path(entry.path))
    return found


def walk(root: Path, require_mount: bool = True) -> ShareListing:
    """Every document below `root`. Symbolic links are not followed.

    Raises:
        ShareUnavailable: not mounted, mounted anew meanwhile, or any call but a denied folder failed.
    """
    with _as_unavailable(root):
        os.listdir(root)  # first of all: this is what makes an automount mount
        mount = _mount_of(root) if require_mount else None
        files: dict[str, FileStatus] = {}
        unreadable: list[str] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(root / folder))
            except PermissionError:
                if not folder:
                    raise
                unreadable.append(folder)
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not _is_skipped(entry.name):
                        folders.append(path)
                elif entry.is_file(follow_symlinks=False) and is_document(entry.name):
                    status = entry.stat(follow_symlinks=False)
                    files[path] = FileStatus(status.st_size, status.st_mtime_ns)
        if require_mount and _mount_of(root) != mount:
            raise ShareUnavailable(f"{root} was mounted anew while it was being read; the next round reads it again")
    return ShareListing(files, tuple(sorted(unreadable)))


@contextmanager
def _as_unavailable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ShareUnavailable(f"{error.filename or root}: {error.strerror or error}") from error


def _mount_of(root: Path) -> str:
    """The id of the file system mounted on `root` (proc(5), /proc/pid/mountinfo)."""
    found: tuple[str, str] | None = None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            fields = left.split(" ")
            if _unescape(fields[4]) == str(root):
                found = fields[0], right.split(" ")[0]  # the last one listed lies on top
    if found is None:
        raise ShareUnavailable(f"{root} is not mounted")
    if found[1] == "autofs":
        raise ShareUnavailable(f"{root}: its automount has not mounted it; is the NAS on?")
    return found[0]


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


@contextmanager
def open_beneath(root: Path, path: str) -> Iterator[int]:
    """A descriptor of the regular file `path` below `root`, wherever links have moved meanwhile.

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
            raise PermissionError(errno.EACCES, "is no regular file", path)
        yield descriptor
    finally:
        os.close(descriptor)


def fingerprint(root: Path, path: str) -> tuple[FileStatus, str] | None:
    """Size, modification time and SHA-256 (hex) of a file, or None where it changed while it was being read.

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
    """The content of a file, at most `limit` bytes and one.

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
