# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of files, with their owners and modes: the desktop's configuration, and the controller's site folder.

`files.json` lists every folder, file and link; the contents are below `tree/`. Times are not saved, so that a file
written again with the same content counts as unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import BackupError
from .staging import Staging

LIST = "files.json"
TREE = "tree"
_BLOCK = 1 << 20
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@dataclass(frozen=True)
class Entry:
    """A folder, file or link.

    Attributes:
        path: relative to the root that was saved.
        kind: folder, file or link.
        mode: as chmod takes it, in octal; empty for a link.
        sha256: of a file's content, in hex.
        target: of a link.
    """

    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    sha256: str = ""
    target: str = ""


def stage(
    staging: Staging, root: Path, folders: list[Path], skipped: Callable[[Path], bool] = lambda _path: False
) -> dict[str, int]:
    """Write the files of some folders below `root`, but for those `skipped`; return the number of files and links.

    A file that is removed meanwhile is not in the backup. What is neither a file, a folder nor a link is left out.

    Raises:
        BackupError: a folder does not exist, a file cannot be read, or its name is not UTF-8.
    """
    absent = [str(folder) for folder in folders if not folder.exists()]
    if absent:
        raise BackupError("files to save", found=f"no {' and no '.join(absent)}", expected="folders that exist")
    entries = []
    for path in (path for folder in folders for path in _walk(folder) if not skipped(path)):
        try:
            name = path.relative_to(root).as_posix()
            entry = _entry(path, name, partial(staging.copy, f"{TREE}/{name}"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BackupError(path, found=error.strerror, expected="a readable file") from error
        except UnicodeEncodeError as error:
            raise BackupError(repr(path), found="a name that is not UTF-8", expected="UTF-8") from error
        if entry:
            entries.append(entry)
    staging.write_json(LIST, [asdict(entry) for entry in entries])
    return counts(entries)


def counts(entries: list[Entry]) -> dict[str, int]:
    """Return the number of files and links."""
    kinds = [entry.kind for entry in entries]
    return {"files": kinds.count("file"), "links": kinds.count("link")}


def entries(folder: Path) -> list[Entry]:
    """Return the entries that a component's files.json lists. Raises OSError, ValueError, TypeError."""
    return [Entry(**entry) for entry in json.loads((folder / LIST).read_bytes())]


def check(folder: Path, expected: Mapping[str, int]) -> list[str]:
    """Return what is wrong with a staged or restored folder: a file that is absent or differs from files.json."""
    try:
        listed = entries(folder)
    except (OSError, ValueError, TypeError) as error:
        return [f"{folder / LIST}: {error!r}"]
    files = [entry for entry in listed if entry.kind == "file"]
    problems = [problem for entry in files for problem in _difference(folder / TREE / entry.path, entry.sha256)]
    if counts(listed) != dict(expected):
        problems.append(f"{LIST} lists {counts(listed)}, the manifest {dict(expected)}")
    return problems


def restore(folder: Path, root: Path) -> list[Path]:
    """Bring back every folder, file and link with its owner and mode below `root`; return those that changed.

    Files are replaced atomically. What is below `root` and not in the backup stays. Raises OSError.
    """
    changed = []
    for entry in entries(folder):
        path = root / entry.path
        if _current(path, entry.path) != entry:
            _write(folder / TREE / entry.path, path, entry)
            changed.append(path)
    return changed


def _walk(folder: Path) -> Iterator[Path]:
    """Yield a folder and what is below it, in a fixed order, each folder before its content."""
    yield folder
    for parent, names, files in os.walk(folder, onerror=_refuse):
        names.sort()
        yield from (Path(parent, name) for name in sorted((*names, *files)))


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise BackupError(error.filename, found=error.strerror, expected="a readable folder") from error


def _entry(path: Path, name: str, digest: Callable[[BinaryIO], str]) -> Entry | None:
    """Return the entry of a path under a name, None for a socket or a device; `digest` reads a file's content."""
    name.encode()
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, "link", "", status.st_uid, status.st_gid, target=os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, "folder", _mode(status), status.st_uid, status.st_gid)
    if not stat.S_ISREG(status.st_mode):
        return None
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        return Entry(name, "file", _mode(status), status.st_uid, status.st_gid, sha256=digest(file))


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _difference(path: Path, sha256: str) -> list[str]:
    try:
        with path.open("rb") as file:
            return [] if _sha256(file) == sha256 else [f"{path} differs from {LIST}"]
    except OSError as error:
        return [f"{path}: {error.strerror}"]


def _current(path: Path, name: str) -> Entry | None:
    try:
        return _entry(path, name, _sha256)
    except FileNotFoundError:
        return None


def _write(source: Path, path: Path, entry: Entry) -> None:
    """Make a path equal to its entry. What else has its name is replaced; a folder keeps its content."""
    if entry.kind == "folder":
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            path.mkdir(mode=0o700)
        _own(path, entry)
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    new = path.with_name(f".{path.name}.tars-restore")
    new.unlink(missing_ok=True)
    if entry.kind == "link":
        new.symlink_to(entry.target)
    else:
        with source.open("rb") as content, os.fdopen(os.open(new, _CREATE, 0o600), "wb") as file:
            shutil.copyfileobj(content, file, _BLOCK)
    _own(new, entry)
    new.replace(path)


def _own(path: Path, entry: Entry) -> None:
    os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.mode:
        path.chmod(int(entry.mode, 8))
