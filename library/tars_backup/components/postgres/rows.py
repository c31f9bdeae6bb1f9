# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a table as files in PostgreSQL's text format of COPY.

A table with many rows and an evenly distributed key becomes a folder of up to 4,096 files, one for each beginning of
three hex digits, so that new rows change few files. Rows arrive in the order of their key, which is the order of these
files: one stream is split while it arrives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import BackupError
from ..staging import Staging
from .catalog import Table

MANY_ROWS = 4096
_DIGITS = 3
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


def blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to blocks of about 1 MiB."""
    collected: list[bytes] = []
    size = 0
    for line in lines:
        collected.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(collected)
            collected, size = [], 0
    if collected:
        yield b"".join(collected)


def beginning(line: bytes) -> str:
    """Return the first three hex digits of a row's first value, a uuid or a bytea; a shorter bytea is filled with 0."""
    digits = line[3:] if line.startswith(b"\\\\x") else line
    return digits.split(b"\t", 1)[0].strip(b"\n")[:_DIGITS].decode("ascii").ljust(_DIGITS, "0")


def by_beginning(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the beginning of the key with a block of rows that have it; a beginning can follow itself."""
    current, collected, size = "", list[bytes](), 0
    for line in lines:
        start = beginning(line)
        if collected and (start != current or size >= _BLOCK):
            yield current, b"".join(collected)
            collected, size = [], 0
        current = start
        collected.append(line)
        size += len(line)
    if collected:
        yield current, b"".join(collected)


def stage(staging: Staging, table: Table, lines: Iterable[bytes], expected: int) -> TableFiles:
    """Write the rows of a table, of which there should be `expected`.

    Raises:
        BackupError: another number of rows arrived.
    """
    digest = Digest()
    split = table.hashed and expected > MANY_ROWS
    if split:
        _stage_split(staging, table, lines, digest)
    else:
        with staging.file(f"tables/{table.file_name}.copy") as file:
            for block in blocks(lines):
                digest.add(block)
                file.write(block)
    if digest.rows != expected:
        raise BackupError(
            f"table {table.name}", found=f"{digest.rows} rows", expected=f"the {expected} that the database counted"
        )
    return TableFiles(table.name, table.file_name, table.columns, table.key, digest.rows, split, digest.hex)


def _stage_split(staging: Staging, table: Table, lines: Iterable[bytes], digest: Digest) -> None:
    pairs = by_beginning(lines)
    pair = next(pairs, None)
    while pair is not None:
        start = pair[0]
        with staging.file(f"tables/{table.file_name}/{start}.copy") as file:
            while pair is not None and pair[0] == start:
                digest.add(pair[1])
                file.write(pair[1])
                pair = next(pairs, None)


def read(table: TableFiles, folder: Path) -> Iterator[bytes]:
    """Yield the rows of a table as blocks, in their order. Raises OSError where a file cannot be read."""
    for path in table.paths(folder):
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
