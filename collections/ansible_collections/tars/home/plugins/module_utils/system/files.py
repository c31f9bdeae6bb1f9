# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and files of one concern: read them, plan what differs, write them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple


class FileSetError(Exception):
    """An entry cannot be brought about. The message names it and the next step."""


@dataclass(frozen=True)
class Entry:
    """A folder (`content` is None) or a file, as it is or as it shall be. `mode` is the permission bits alone."""

    path: str
    uid: int
    gid: int
    mode: int
    content: Optional[bytes] = None

    @property
    def kind(self) -> str:
        return "folder" if self.content is None else "file"


@dataclass(frozen=True)
class Change:
    """What to do for one entry: `create`, or some of `content`, `owner`, `mode`."""

    entry: Entry
    differs: Tuple[str, ...]


def plan(current: Mapping[str, Optional[Entry]], desired: Sequence[Entry]) -> List[Change]:
    """Changes that turn the current entries (None: nothing there) into the desired ones, in the order given.

    Raises:
        FileSetError: a file stands where a folder is wanted, or the other way round.
    """
    changes = []
    for entry in desired:
        present = current.get(entry.path)
        if present is None:
            changes.append(Change(entry, ("create",)))
            continue
        if present.kind != entry.kind:
            raise FileSetError(
                f"{entry.path}: a {entry.kind} is wanted, a {present.kind} is there. Move it away, then run again."
            )
        differs = []
        if present.content != entry.content:
            differs.append("content")
        if (present.uid, present.gid) != (entry.uid, entry.gid):
            differs.append("owner")
        if present.mode != entry.mode:
            differs.append("mode")
        if differs:
            changes.append(Change(entry, tuple(differs)))
    return changes


def read(path: str) -> Optional[Entry]:
    """The entry at a path, None where there is none. Follows no symbolic link: one counts as a mistake."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return Entry(path, found.st_uid, found.st_gid, mode)
    if not stat.S_ISREG(found.st_mode):
        raise FileSetError(
            f"{path}: neither a file nor a folder (a link or device) is there. Move it away, then run again."
        )
    with open(path, "rb") as file:
        return Entry(path, found.st_uid, found.st_gid, mode, file.read())


def apply(change: Change) -> None:
    """Carry out one change. A file is replaced whole, by renaming: a reader sees the old or the new one, and the new
    one has outlived a power cut when this returns.
    """
    entry = change.entry
    if entry.content is None:
        if change.differs == ("create",):
            os.makedirs(os.path.dirname(entry.path), mode=0o755, exist_ok=True)
            os.mkdir(entry.path, 0o700)
        os.chown(entry.path, entry.uid, entry.gid)
        os.chmod(entry.path, entry.mode)
        return
    folder = os.path.dirname(entry.path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(dir=folder, prefix=".tars-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(entry.content)
            os.fchown(file.fileno(), entry.uid, entry.gid)
            os.fchmod(file.fileno(), entry.mode)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, entry.path)
    except BaseException:  # Ctrl-C too must leave no half-written file
        os.unlink(fresh)
        raise
    sync(folder)


def sync(folder: str) -> None:
    """Have a folder's present list of names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def uid(owner: str) -> int:
    """A user's number by its name or number."""
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise FileSetError(f"User {owner} does not exist on this machine. Create it, or give a number.") from None


def gid(group: str) -> int:
    """A group's number by its name or number."""
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise FileSetError(f"Group {group} does not exist on this machine. Create it, or give a number.") from None
