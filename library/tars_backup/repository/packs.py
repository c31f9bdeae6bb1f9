# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the repository's files back from the NAS: each but config is named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import processes
from ..configuration import Configuration
from ..deadline import Deadline

SHARES = 30
"""Parts of the repository, one of which is read each day."""

FOLDERS = ("data", "index", "keys", "snapshots")

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_SCAN_S = 120
_MARGIN_S = 2
"""Coarsest resolution of a file system's times."""

_BATCH = 256 << 20
_SLOWEST = 4 << 20
"""Bytes per second below which the NAS counts as not answering."""


def sizes(repository: Path) -> dict[str, int]:
    """Return the size of each file that is named by its digest, by its path in the repository.

    Raises:
        DestinationError: the file system does not answer.
    """

    def scan() -> dict[str, int]:
        return {
            path.relative_to(repository).as_posix(): path.stat().st_size
            for folder in FOLDERS
            for path in (repository / folder).rglob("*")
            if _NAME.match(path.name) and path.is_file()
        }

    return processes.isolated(scan, subject=repository, deadline_s=_SCAN_S, folder=repository)


def snapshots(configuration: Configuration) -> list[str]:
    """Return the names of the files of the snapshots, which are their ids, of a repository that is a folder.

    Raises:
        DestinationError: the file system does not answer.
    """
    folder = configuration.repository / "snapshots"
    return processes.isolated(lambda: sorted(path.name for path in folder.iterdir()), subject=folder)


def unproven(repository: Path, good: Path) -> list[str]:
    """Return the files that were written after the newest mark: by this run, or by one that was ended before its proof.

    restic uses the data of such a run for later backups. All times are the server's; names are as those of sizes().
    """

    def scan() -> list[str]:
        proven = max((path.stat().st_mtime for path in good.glob("*.json")), default=0.0) - _MARGIN_S
        return [
            path.relative_to(repository).as_posix()
            for folder in FOLDERS
            for path in (repository / folder).rglob("*")
            if _NAME.match(path.name) and path.is_file() and path.stat().st_mtime >= proven
        ]

    return processes.isolated(scan, subject=repository, deadline_s=_SCAN_S, folder=repository)


def share(names: Iterable[str], position: int) -> list[str]:
    """Return the files that belong to one of the SHARES parts."""
    return [name for name in names if int(name.rpartition("/")[2][:8], 16) % SHARES == position % SHARES]


def damaged(repository: Path, files: dict[str, int], deadline: Deadline) -> list[str]:
    """Return what is wrong with files of the repository, given with their sizes.

    They are read from the server, not from the page cache.

    Raises:
        DestinationError: the file system does not answer.
    """
    problems: list[str] = []
    for batch in _batches(files):
        limit_s = 60 + sum(files[name] for name in batch) / _SLOWEST

        def read(batch: list[str] = batch) -> list[str]:
            return [problem for name in batch for problem in _problems(repository, name)]

        limit_s = deadline.remaining_s("reading the repository back", limit_s)
        problems += processes.isolated(read, subject=repository, deadline_s=limit_s, folder=repository)
    return problems


def _batches(files: dict[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    total = 0
    for name in sorted(files):
        batch.append(name)
        total += files[name]
        if total >= _BATCH or len(batch) >= 2000:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _problems(repository: Path, name: str) -> Iterator[str]:
    digest = hashlib.sha256()
    try:
        with (repository / name).open("rb", buffering=0) as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        yield f"{name}: {error.strerror}"
        return
    if digest.hexdigest() != name.rpartition("/")[2]:
        yield f"{name}: its bytes do not have the SHA-256 of its name"
