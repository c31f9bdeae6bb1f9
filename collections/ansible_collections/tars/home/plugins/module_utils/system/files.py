# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders: read, plan, write. A file is replaced whole, and its mode never depends on the umask."""

from __future__ import annotations

import base64
import contextlib
import grp
import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ..resource.converge import Probe, Resource
from ..resource.errors import ResourceError
from ..resource.listed import listed_twice


class FileSetError(ResourceError):
    """An entry cannot be read, planned or written. The message names it and the next step."""


@dataclass(frozen=True)
class Entry:
    """A folder (`content` is None) or a file, current or desired.

    `owner` and `group` are names or numbers, `mode` is the permission bits alone. The content of a `secret` is not
    shown.
    """

    path: str
    owner: str
    group: str
    mode: int
    content: bytes | None = None
    secret: bool = field(default=False, compare=False)

    @property
    def kind(self) -> str:
        """Return the kind of the entry in words."""
        return "folder" if self.content is None else "file"

    def describe(self, differs: bool) -> str:
        """Return the entry as diff mode shows it; of a secret only whether its content `differs`."""
        head = f"{self.kind} {self.owner}:{self.group} {self.mode:04o}\n"
        if self.content is None:
            return head
        if self.secret:
            return f"{head}(secret{', differs' if differs else ''})\n"
        return head + self.content.decode("utf-8", "replace")


@dataclass(frozen=True)
class Change:
    """What to do for one entry: `create`, or some of `content`, `owner`, `mode`."""

    entry: Entry
    differs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.entry.path}: {', '.join(self.differs)}"


State = Mapping[str, Optional[Entry]]
"""Entries by path; None where nothing exists."""


def desired_entry(item: Mapping[str, Any]) -> Entry:
    """Return the desired entry that an item of a module's list describes.

    Raises:
        FileSetError: the mode is not an octal string, or `base64` is not base64.
    """
    mode = octal(item["path"], item["mode"])
    hidden = item.get("secret") is not None or item.get("base64") is not None
    data = _content(item) if hidden or item.get("content") is not None else None
    return Entry(item["path"], item["owner"], item["group"], mode, data, hidden)


def octal(path: str, mode: str) -> int:
    """Return the permission bits of a path by an octal string. Raises FileSetError."""
    try:
        return int(mode, 8)
    except ValueError:
        raise FileSetError(f"{path}: found the mode {mode!r}, expected an octal string such as 0644.") from None


def _content(item: Mapping[str, Any]) -> bytes:
    """Return the content of an item's file, which has one of `content`, `secret` and `base64`."""
    if item.get("base64") is None:
        text: str = item["content"] if item.get("secret") is None else item["secret"]
        return text.encode()
    try:
        return base64.b64decode(item["base64"], validate=True)
    except ValueError as error:
        raise FileSetError(f"{item['path']}: found {error} in base64, expected the content in base64.") from error


def plan(current: State, desired: Sequence[Entry]) -> list[Change]:
    """Return the changes from the current to the desired entries, in the order given.

    Raises:
        FileSetError: a file exists where a folder is wanted or the other way round, or a path is listed twice.
    """
    twice = listed_twice("path", (entry.path for entry in desired))
    if twice:
        raise FileSetError(" ".join(twice))
    changes = []
    for entry in desired:
        present = current.get(entry.path)
        if present is None:
            changes.append(Change(entry, ("create",)))
            continue
        if present.kind != entry.kind:
            raise FileSetError(
                f"{entry.path}: found a {present.kind}, expected a {entry.kind}. Next: move it away, then run again."
            )
        pairs = {
            "content": (present.content, entry.content),
            "owner": ((present.owner, present.group), (entry.owner, entry.group)),
            "mode": (present.mode, entry.mode),
        }
        differs = tuple(name for name, (before, after) in pairs.items() if before != after)
        if differs:
            changes.append(Change(entry, differs))
    return changes


def predict(current: State, changes: Sequence[Change]) -> State:
    """Return the entries after the changes."""
    return {**current, **{change.entry.path: change.entry for change in changes}}


def diff(before: State, after: State) -> list[dict[str, str]]:
    """Return Ansible's diff of the entries that differ."""
    shown = []
    for path, entry in after.items():
        present = before.get(path)
        if entry is None or present == entry:
            continue
        content_differs = present is not None and present.content != entry.content
        shown.append(
            {
                "before_header": path,
                "after_header": path,
                "before": "" if present is None else replace(present, secret=entry.secret).describe(False),
                "after": entry.describe(content_differs),
            }
        )
    return shown


def resource(desired: Sequence[Entry]) -> Resource[State, Change]:
    """Return files and folders as a resource, folders before the files in them."""
    return Resource(
        read=lambda: {entry.path: read(entry.path, entry.owner, entry.group) for entry in desired},
        plan=lambda current: plan(current, desired),
        predict=predict,
        write=write_all,
        show=lambda state: {},
        diff=diff,
        probe=probe(desired),
    )


def probe(desired: Sequence[Entry]) -> Probe[State]:
    """Return the command that compares kinds, owners, modes and contents.

    The checksums are its input: as arguments, or in its output, they would reach logs, and a secret can be guessed by
    its checksum.
    """
    files = [entry for entry in desired if entry.content is not None]
    sums = "".join(f"{hashlib.sha256(entry.content or b'').hexdigest()}  {entry.path}\n" for entry in files)
    script = """stat --format='%f %u %U %g %G' -- "$@" """ + ("&& sha256sum --check --status" if files else "")
    command = ["sh", "-c", script, "sh", *(entry.path for entry in desired)] if desired else ["true"]
    return Probe(command, lambda status, output: parse(desired, status, output), sums)


def parse(desired: Sequence[Entry], status: int, output: str) -> State | None:
    """Return the entries by the output of the probe; None where one is absent or has another content."""
    lines = [line.split() for line in output.splitlines()]
    if status or len(lines) != len(desired) or any(len(line) != 5 for line in lines):
        return None
    state: dict[str, Entry | None] = {}
    for entry, (mode, uid, user, gid, group) in zip(desired, lines):  # Python 3.9 has no strict
        bits = int(mode, 16)
        if stat.S_IFMT(bits) != (stat.S_IFDIR if entry.content is None else stat.S_IFREG):
            return None
        state[entry.path] = replace(
            entry,
            mode=stat.S_IMODE(bits),
            owner=entry.owner if entry.owner in (uid, user) else user,
            group=entry.group if entry.group in (gid, group) else group,
        )
    return state


def read(path: str, owner: str = "0", group: str = "0") -> Entry | None:
    """Return the entry at a path, None if nothing exists. Its owner and group are spelled as given if they are these.

    Raises:
        FileSetError: a symbolic link or device exists there, or there is no such owner or group.
    """
    user, members = uid(owner), gid(group)
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    present = Entry(
        path,
        owner if status.st_uid == user else _user_name(status.st_uid),
        group if status.st_gid == members else _group_name(status.st_gid),
        stat.S_IMODE(status.st_mode),
    )
    if stat.S_ISDIR(status.st_mode):
        return present
    if not stat.S_ISREG(status.st_mode):
        raise FileSetError(
            f"{path}: found a link or a device, expected a file or a folder. Next: move it away, then run again."
        )
    with open(path, "rb") as file:
        return replace(present, content=file.read())


def write_all(changes: Sequence[Change]) -> None:
    """Make the changes in their order."""
    for change in changes:
        write(change)


def write(change: Change) -> None:
    """Make one change."""
    entry = change.entry
    owner, group = uid(entry.owner), gid(entry.group)
    if entry.content is not None:
        write_file(entry.path, entry.content, entry.mode, owner, group)
        return
    if change.differs == ("create",):
        make_folder(entry.path, 0o700)
    os.chown(entry.path, owner, group)
    os.chmod(entry.path, entry.mode)


def write_file(
    path: str, content: bytes | str, mode: int = 0o644, owner: int | None = None, group: int | None = None
) -> None:
    """Replace a file whole, with exactly this mode; its missing folders get 0755.

    A reader sees the old or the new file, and the new one survives a power cut once this returns. Owner and group are
    those of this process unless given.
    """
    folder = os.path.dirname(path)
    make_folder(folder)
    try:
        _replace(path, folder, content.encode() if isinstance(content, str) else content, mode, owner, group)
    except OSError as error:
        # It names the temporary file, or none.
        error.filename = path
        raise
    sync(folder)


def _replace(path: str, folder: str, content: bytes, mode: int, owner: int | None, group: int | None) -> None:
    descriptor, fresh = tempfile.mkstemp(dir=folder, prefix=".tars-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchown(file.fileno(), os.geteuid() if owner is None else owner, os.getegid() if group is None else group)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, path)
    except BaseException:  # Ctrl-C too must leave no half-written file
        os.unlink(fresh)
        raise


def make_folder(path: str, mode: int = 0o755) -> None:
    """Create a folder with exactly this mode, and its missing parents with 0755. One that exists stays as it is."""
    if os.path.isdir(path):
        return
    make_folder(os.path.dirname(path))
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if os.path.isdir(path):  # another process was faster
            return
        raise FileSetError(f"{path}: found a file, expected a folder. Next: move it away, then run again.") from None
    # mkdir leaves out what the umask forbids.
    os.chmod(path, mode)


def remove(path: str) -> None:
    """Delete a file, if it exists, so that it stays deleted after a power cut."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync(os.path.dirname(path))


def text(path: str) -> str:
    """Return the text of a file, empty if it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def sync(folder: str) -> None:
    """Write a folder's list of names to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def uid(owner: str) -> int:
    """Return a user's number by its name or number."""
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise FileSetError(f"User {owner} does not exist on this machine. Next: create it, or give a number.") from None


def gid(group: str) -> int:
    """Return a group's number by its name or number."""
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise FileSetError(
            f"Group {group} does not exist on this machine. Next: create it, or give a number."
        ) from None


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
