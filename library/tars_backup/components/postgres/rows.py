# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a table as files in PostgreSQL's text format of COPY.

The rows of a larger table are split over many files, so that a change rewrites few of them: restic stores a file of up
to 512 KiB as a whole. Rows with an increasing number are split by ranges of it, so that new rows only add files, and
what was added together stays together. Other rows are split by the first hex digits of their uuid or hash. Rows arrive
in this order: one stream is split while it arrives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import BackupError
from ..staging import Staging
from .catalog import Table

FEW_ROWS = 512
"""Rows of a table that is one file."""

NUMBERS = 256
"""Numbers of the rows of one file."""

THREE_DIGITS_FROM = 262_144
"""Rows of a table over which a file has the rows of three hex digits instead of two. With few rows in each, thousands
of files take longer than their rows."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class TableFiles:
    """What `tables.json` states about a table.

    Attributes:
        split: whether the rows are in a folder of files.
        digest: SHA-256 in hex of all rows in their order.
    """

    name: str
    file_name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int
    split: bool
    digest: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TableFiles:
        """Return the record of a table in `tables.json`."""
        return cls(**{**record, "columns": tuple(record["columns"]), "key": tuple(record["key"])})

    def paths(self, folder: Path) -> list[Path]:
        """Return the files of the rows below the component's folder, in the order of the rows."""
        tables = folder / "tables"
        return sorted((tables / self.file_name).glob("*.copy")) if self.split else [tables / f"{self.file_name}.copy"]


class Digest:
    """Number and SHA-256 of rows in COPY's text format."""

    def __init__(self) -> None:
        """Start with no rows."""
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, block: bytes) -> None:
        """Add lines. A line is a row: line feeds in values are escaped."""
        self._hash.update(block)
        self.rows += block.count(b"\n")

    @property
    def hex(self) -> str:
        """Return the SHA-256 in hex."""
        return self._hash.hexdigest()


def splitter(table: Table, rows: int) -> Callable[[bytes], str] | None:
    """Return the function from a row to the name of its file; None for a table that is one file."""
    if not table.split or rows <= FEW_ROWS:
        return None
    if table.split == "numbers":
        return number_range
    return partial(beginning, digits=3 if rows > THREE_DIGITS_FROM else 2)


def number_range(line: bytes) -> str:
    """Return the number of the range that a row's first value is in; all negative numbers are in the first one."""
    return f"{max(0, int(line.split(None, 1)[0])) // NUMBERS:017d}"


def beginning(line: bytes, digits: int) -> str:
    """Return the first hex digits of a row's first value, a uuid or a bytea; a shorter bytea is filled with 0."""
    value = line[3:] if line.startswith(b"\\\\x") else line
    return value.split(b"\t", 1)[0].strip(b"\n")[:digits].decode("ascii").ljust(digits, "0")


def by_file(blocks: Iterable[bytes], name_of: Callable[[bytes], str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name of a file with a block of its rows; a name can follow itself.

    `blocks` are of whole lines, in the order of the names: the end of a file's rows is searched by halving the block,
    which takes a fraction of the time of looking at every line.
    """
    for block in blocks:
        start = 0
        while start < len(block):
            name = name_of(_line(block, start))
            end = _end_of_file(block, start, name, name_of)
            yield name, block[start:end]
            start = end


def _line(block: bytes, start: int) -> bytes:
    return block[start : block.find(b"\n", start) + 1]


def _end_of_file(block: bytes, start: int, name: str, name_of: Callable[[bytes], str]) -> int:
    """Return the position of the first line after `start`, whose file is `name`, that belongs to another file."""
    low, high = start, block.rfind(b"\n", 0, len(block) - 1) + 1
    if high <= low or name_of(_line(block, high)) == name:
        return len(block)
    while True:
        middle = block.find(b"\n", (low + high) // 2) + 1
        if middle >= high:
            middle = block.find(b"\n", low) + 1
        if middle == high:
            return high
        if name_of(_line(block, middle)) == name:
            low = middle
        else:
            high = middle


def stage(staging: Staging, table: Table, blocks: Iterable[bytes], expected: int) -> TableFiles:
    """Write the rows of a table, which arrive in blocks of whole lines, and of which there should be `expected`.

    Raises:
        BackupError: another number of rows arrived.
    """
    digest = Digest()
    name_of = splitter(table, expected)
    if name_of:
        _stage_split(staging, table, by_file(blocks, name_of), digest)
    else:
        with staging.file(f"tables/{table.file_name}.copy") as file:
            for block in blocks:
                digest.add(block)
                file.write(block)
    if digest.rows != expected:
        raise BackupError(
            f"table {table.name}", found=f"{digest.rows} rows", expected=f"the {expected} that the database counted"
        )
    return TableFiles(
        table.name, table.file_name, table.columns, table.key, digest.rows, name_of is not None, digest.hex
    )


def _stage_split(staging: Staging, table: Table, pairs: Iterator[tuple[str, bytes]], digest: Digest) -> None:
    pair = next(pairs, None)
    while pair is not None:
        name = pair[0]
        with staging.file(f"tables/{table.file_name}/{name}.copy") as file:
            while pair is not None and pair[0] == name:
                digest.add(pair[1])
                file.write(pair[1])
                pair = next(pairs, None)


def read(table: TableFiles, folder: Path) -> Iterator[bytes]:
    """Yield the rows of a table as blocks, in their order. Raises OSError where a file cannot be read."""
    for path in table.paths(folder):
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
