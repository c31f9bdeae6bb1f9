# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the recovery sheet that this program reads: password, file config and key file of the repository.

Without one of the three, nothing can be read. The two files are about 600 bytes, and a single wrong byte in them locks
the repository. Its other files are protected by the snapshots of the NAS and by copies.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .. import files, instants, processes
from ..configuration import Configuration
from ..errors import BackupError

CONFIG = "config"
DAMAGED = "damaged"
"""Folder beside the repository with the files that a repair has replaced."""


@dataclass(frozen=True)
class Sheet:
    """What opens a repository; `files` maps paths in the repository (config, keys/NAME) to their content."""

    password: str
    files: dict[str, bytes]


def parse(text: str) -> Sheet:
    """Return the sheet of a JSON object with `password` and, both or none, `config` and `key` in base64.

    Raises:
        BackupError: the text is something else.
    """
    expected = "a JSON object with the texts password, config and key"
    try:
        document = json.loads(text)
        contents = [base64.b64decode(document[name], validate=True) for name in ("config", "key") if document.get(name)]
        password = document["password"]
        if not isinstance(password, str) or len(contents) == 1:
            raise ValueError("not complete")
    except (ValueError, TypeError, AttributeError, LookupError, binascii.Error) as error:
        raise BackupError("sheet", found=f"{type(error).__name__}: {error}", expected=expected) from error
    names = (CONFIG, key_path(contents[1])) if contents else ()
    return Sheet(password, dict(zip(names, contents)))


def key_path(content: bytes) -> str:
    """Return the path of a key file in its repository: restic names it by the SHA-256 of its bytes."""
    return f"keys/{hashlib.sha256(content).hexdigest()}"


def read(configuration: Configuration, key: str) -> dict[str, bytes]:
    """Return the files config and keys/KEY of the repository. Raises DestinationError."""
    repository = configuration.repository

    def content() -> dict[str, bytes]:
        return {name: (repository / name).read_bytes() for name in (CONFIG, f"keys/{key}")}

    return processes.isolated(content, subject=repository)


def differing(configuration: Configuration, sheet: Sheet) -> list[str]:
    """Return which files of the sheet are absent from the repository, or have another content there."""
    repository = configuration.repository

    def names() -> list[str]:
        return [name for name, content in sheet.files.items() if _content(repository / name) != content]

    return processes.isolated(names, subject=repository)


@contextlib.contextmanager
def opened(configuration: Configuration, sheet: Sheet) -> Iterator[Configuration]:
    """Yield a configuration that reads the repository with the sheet alone.

    Its repository is a temporary folder with the sheet's files, in which the rest are links to the real one. If the
    sheet has no files, those of the repository are copied.
    """
    real = configuration.repository
    configuration.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=configuration.state) as name:
        scratch = Path(name)
        repository, key_file = scratch / real.name, scratch / "key"
        contents = sheet.files or processes.isolated(lambda: _all(real), subject=real)
        (repository / "keys").mkdir(parents=True)
        for path, content in contents.items():
            (repository / path).write_bytes(content)
        for part in ("data", "index", "snapshots", "locks"):
            (repository / part).symlink_to(real / part)
        (scratch / configuration.good.name).symlink_to(configuration.good)
        key_file.touch(0o600)
        key_file.write_text(sheet.password)
        yield replace(configuration, repository=repository, key_file=key_file)


def repair(configuration: Configuration, sheet: Sheet, names: list[str]) -> list[Path]:
    """Write files of the sheet into the repository, and return where the replaced ones are kept beside it.

    Raises:
        DestinationError: the share cannot be written.
    """
    repository = configuration.repository
    kept = repository.parent / DAMAGED
    moment = instants.now().strftime("%Y%m%dT%H%M%SZ")

    def write() -> list[Path]:
        saved = []
        for name in names:
            path = repository / name
            content = _content(path)
            if content is not None:
                kept.mkdir(exist_ok=True)
                saved.append(kept / f"{path.name}-{moment}")
                files.write(saved[-1], content)
            path.parent.mkdir(exist_ok=True)
            files.write(path, sheet.files[name])
        return saved

    return processes.isolated(write, subject=repository)


def _all(repository: Path) -> dict[str, bytes]:
    paths = [Path(CONFIG), *(Path("keys", name) for name in sorted(os.listdir(repository / "keys")))]
    return {str(path): (repository / path).read_bytes() for path in paths}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
