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
from dataclasses import dataclass, field
from pathlib import Path

from tars_app.adapters.file_names import to_name, to_text
from tars_app.adapters.ignored_names import ignored_because
from tars_app.documents.parsers.registry import SUFFIXES

FORMAT, LINK, SPECIAL, LOOP = "format", "link", "special", "loop"
"""Why an entry is not read, beside the reasons of `ignored_names`."""
MOST_IGNORED = 100_000
"""Ignored entries of a share that are listed; the rest is counted, so that a share of any size fits into memory."""
_BLOCK = 1024 * 1024
_ENTRIES_BETWEEN_PROGRESS = 1000

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
    """Size in bytes and modification time in nanoseconds of a file.

    `ctime_ns` is the time of its last change of any kind, which no program can set; 0 where the file system has none.
    Statuses are equal where size and modification time are.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = field(default=0, compare=False)


@dataclass
class ShareListing:
    """What a share contains; paths are those of `file_names.to_text`.

    Attributes:
        files: the documents by path.
        unreadable: the reason, by the path of each entry that cannot be read.
        ignored: why it is not read, by the path of each other entry. Of an ignored folder, nothing else is listed.
        more_ignored: how many are ignored besides.
    """

    files: dict[str, FileStatus] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    more_ignored: int = 0

    def ignore(self, path: str, because: str) -> None:
        """Add an entry that is not read."""
        if len(self.ignored) < MOST_IGNORED:
            self.ignored[path] = because
        else:
            self.more_ignored += 1


@dataclass(frozen=True)
class _Folder:
    """A folder to list: its path as the file system has it and as text, and the identities of it and those above."""

    name: str
    path: str
    identities: tuple[tuple[int, ...], ...]

    def below(self, entry: os.DirEntry[str], path: str) -> _Folder | None:
        """Return a folder in it; None where that is one of those above, as below a mount of itself."""
        status = entry.stat(follow_symlinks=False)
        # Subvolumes of btrfs have the same number, and over NFS the same device too, but not the same times.
        identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        if identity in self.identities:
            return None
        name = f"{self.name}/{entry.name}" if self.name else entry.name
        return _Folder(name, path, (*self.identities, identity))


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
                if not entry.is_dir(follow_symlinks=False) or ignored_because(entry.name):
                    continue
                if to_text(entry.name) != entry.name:
                    problems.append(f"{to_text(entry.path)}: the name of a share has to be UTF-8 without backslashes")
                    continue
                shares.setdefault(entry.name, Path(entry.path))
            except OSError as error:
                problems.append(f"{entry.path}: {reason(error)}")
    return shares, problems


def list_share(root: Path, require_mount: bool = True, progress: Callable[[], None] = lambda: None) -> ShareListing:
    """Return what is below `root`. Symbolic links are not followed; `progress` is called after each folder.

    Raises:
        ShareUnavailableError: it is not mounted, was mounted again meanwhile, or does not answer.
    """
    mount = mount_of_share(root, require_mount)
    listing = ShareListing()
    folders = [_Folder("", "", ())]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder.name) as entries:
                for number, entry in enumerate(entries, 1):
                    if below := _list_entry(root, folder, entry, listing):
                        folders.append(below)
                    if number % _ENTRIES_BETWEEN_PROGRESS == 0:
                        progress()
        except OSError as error:
            if not folder.name:
                raise ShareUnavailableError(f"{root}: {reason(error)}") from error
            _report(root, folder.path, error, listing)
        progress()
    if require_mount and _mount_of(root) != mount:
        raise ShareUnavailableError(f"{root} was mounted again while it was being read; the next pass reads it")
    return listing


def mount_of_share(root: Path, require_mount: bool = True) -> str | None:
    """Return the id of the mount of a share that answers; None where it need not be one.

    Raises:
        ShareUnavailableError: it is not mounted, or does not answer.
    """
    try:
        os.listdir(root)  # before anything else: this is what makes an automount mount
        return _mount_of(root) if require_mount else None
    except OSError as error:
        raise ShareUnavailableError(f"{error.filename or root}: {reason(error)}") from error


def _list_entry(root: Path, folder: _Folder, entry: os.DirEntry[str], listing: ShareListing) -> _Folder | None:
    """Add an entry to the listing; return it if it is a folder to list."""
    text = to_text(entry.name)
    path = f"{folder.path}/{text}" if folder.path else text
    try:
        if because := ignored_because(entry.name):
            listing.ignore(path, because)
        elif entry.is_dir(follow_symlinks=False):
            if below := folder.below(entry, path):
                return below
            listing.ignore(path, LOOP)
        elif because := _unread_kind(entry):
            listing.ignore(path, because)
        else:
            status = entry.stat(follow_symlinks=False)
            listing.files[path] = FileStatus(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        _report(root, path, error, listing)
    return None


def _unread_kind(entry: os.DirEntry[str]) -> str | None:
    """Return why something else than a folder is not read, None for a document."""
    if entry.is_symlink():
        return LINK
    if not entry.is_file(follow_symlinks=False):
        return SPECIAL
    return None if os.path.splitext(entry.name)[1].lower() in SUFFIXES else FORMAT


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
        descriptor = os.open(f"{root}/{to_name(path)}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
    times = [(status.st_size, status.st_mtime_ns, status.st_ctime_ns) for status in (before, after)]
    return (FileStatus(*times[1]), digest.hexdigest()) if times[0] == times[1] else None


def status_of(root: Path, path: str) -> FileStatus:
    """Return the status of a file as it is now. Raises OSError as lstat(2)."""
    status = os.lstat(f"{root}/{to_name(path)}")
    return FileStatus(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_absent(root: Path, path: str, require_mount: bool = True) -> bool:
    """Return whether a share that answers has no entry at a path. Raises ShareUnavailableError as `list_share`."""
    mount = mount_of_share(root, require_mount)
    try:
        status_of(root, path)
    except (FileNotFoundError, NotADirectoryError):
        # The folder of a share that was unmounted meanwhile is empty, as if everything had been deleted.
        return mount_of_share(root, require_mount) == mount
    except OSError:
        pass
    return False


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
