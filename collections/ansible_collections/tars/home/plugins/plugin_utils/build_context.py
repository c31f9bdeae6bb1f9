# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of sources as one archive that is the same, byte for byte, as long as the sources are."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

_PROGRAM = "import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"


@dataclass(frozen=True)
class Selection:
    """Which files of a folder are packed: those at or below the names `only`, without the patterns `exclude`."""

    only: Sequence[str] | None = None
    exclude: tuple[str, ...] = ()

    def has(self, path: Path) -> bool:
        """Return whether a file is packed; `path` is relative to the folder."""
        listed = self.only is None or path.parts[0] in self.only
        return listed and not any(fnmatch(path.name, pattern) for pattern in self.exclude)


def sources(folder: Path) -> Iterator[Path]:
    """Yield the files of a build context, in a fixed order. Caches, compiled files and hidden entries are left out."""
    for path in sorted(folder.iterdir()):
        if path.name == "__pycache__" or path.suffix in (".pyc", ".egg-info"):
            continue
        if path.name.startswith(".") and path.name != ".dockerignore":
            continue
        if path.is_dir():
            yield from sources(path)
        else:
            yield path


def selected(folder: Path, selection: Selection) -> Iterator[tuple[str, Path]]:
    """Yield the files of a selection with their paths in the archive."""
    for path in sources(folder):
        name = path.relative_to(folder)
        if selection.has(name):
            yield name.as_posix(), path


def archive(folder: Path, selection: Selection | None = None) -> bytes:
    """Return the sources as an uncompressed tar, without times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in selected(folder, selection or Selection()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def program(package: Path, entry_point: str, selection: Selection | None = None) -> bytes:
    """Return a Python package as a program of one file (see zipapp), which calls `module:function`.

    Its interpreter ignores PYTHONPATH and the current folder. It is not compressed, because the result would depend on
    the version of zlib.
    """
    module, _, function = entry_point.partition(":")
    files = {f"{package.name}/{name}": path.read_bytes() for name, path in selected(package, selection or Selection())}
    files["__main__.py"] = _PROGRAM.format(module=module, function=function).encode()
    buffer = io.BytesIO(b"#!/usr/bin/python3 -I\n")
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01, the earliest time of the format
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix
            packed.writestr(entry, content)
    return buffer.getvalue()


def tag(context: bytes, build_args: Mapping[str, str]) -> str:
    """Return a short name for what a build is made of: 12 hexadecimal digits of a SHA-256."""
    digest = hashlib.sha256(context)
    digest.update(json.dumps(dict(build_args), sort_keys=True).encode())
    return digest.hexdigest()[:12]
