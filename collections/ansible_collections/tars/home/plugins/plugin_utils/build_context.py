# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of sources as one archive that is the same, byte for byte, as long as the sources are."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path


def sources(folder: Path) -> Iterator[Path]:
    """The files of a build context, in a fixed order. Caches, compiled files and hidden entries are not sources."""
    for path in sorted(folder.iterdir()):
        if path.name == "__pycache__" or path.suffix in (".pyc", ".egg-info"):
            continue
        if path.name.startswith(".") and path.name != ".dockerignore":
            continue
        if path.is_dir():
            yield from sources(path)
        else:
            yield path


def archive(folder: Path) -> bytes:
    """The sources as an uncompressed tar, without times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sources(folder):
            content = path.read_bytes()
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def tag(context: bytes, build_args: Mapping[str, str]) -> str:
    """A short name for what a build is made of: 12 hexadecimal digits of a SHA-256 over sources and arguments."""
    digest = hashlib.sha256(context)
    digest.update(json.dumps(dict(build_args), sort_keys=True).encode())
    return digest.hexdigest()[:12]
