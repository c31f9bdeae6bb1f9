# SPDX-License-Identifier: GPL-3.0-or-later
"""Splitting a stream of rows into files, and the script that loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_backup.components.postgres import rows
from tars_backup.components.postgres.catalog import Table
from tars_backup.components.postgres.dump import constant, is_complete
from tars_backup.components.postgres.load import _knows_restrict, script, set_sequence
from tars_backup.components.staging import Staging
from tars_backup.errors import BackupError
from tars_backup.services import Services

TABLE = Table("passages", ("hash", "text"), ("hash",), "digits", ())
SORTED = st.lists(st.binary(max_size=4), unique=True).map(sorted)


def lines(keys: Iterable[bytes]) -> list[bytes]:
    """Return rows with a bytea key as COPY writes them."""
    return [b"\\\\x%s\ttext\n" % key.hex().encode() for key in keys]


def by_digits(line: bytes) -> str:
    return rows.beginning(line, digits=3)


def check_split(stream: list[bytes], name_of: Callable[[bytes], str], size: int) -> None:
    """Check that the files have the rows in their order, each in the file of its name; blocks are of `size` rows."""
    blocks = [b"".join(stream[start : start + size]) for start in range(0, len(stream), size)]
    pairs = list(rows.by_file(blocks, name_of))
    assert b"".join(block for _, block in pairs) == b"".join(stream)
    names = [name for name, _ in pairs]
    assert names == sorted(names)
    for name, block in pairs:
        assert {name_of(line) for line in block.splitlines(keepends=True)} == {name}


@given(SORTED, st.integers(1, 50))
def test_split_by_digits(keys: list[bytes], size: int) -> None:
    check_split(lines(keys), by_digits, size)


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 1000), st.integers(0, 300))).map(sorted),
    st.integers(1, 50),
)
def test_split_by_numbers(numbers_and_lengths: list[tuple[int, int]], size: int) -> None:
    numbers = [number for number, _ in numbers_and_lengths]
    check_split(
        [b"%d\t%s\n" % (number, b"x" * length) for number, length in numbers_and_lengths], rows.number_range, size
    )
    check_split([b"%d\n" % number for number in numbers], rows.number_range, size)


@pytest.mark.parametrize(
    ("line", "start"),
    [
        (b"3f2504e0-4f89-11d3-9a0c-0305e82c3301\tx\n", "3f2"),
        (b"\\\\xdeadbeef\tx\n", "dea"),
        (b"\\\\xde\tx\n", "de0"),
        (b"\\\\x\tx\n", "000"),
        (b"\\\\xde\n", "de0"),
        (b"\\\\x\n", "000"),
    ],
)
def test_beginning(line: bytes, start: str) -> None:
    assert rows.beginning(line, digits=3) == start
    assert rows.beginning(line, digits=2) == start[:2]


def test_number_range() -> None:
    names = [rows.number_range(b"%d\tx\n" % number) for number in (-1, 0, 255, 256, 511, 2**63 - 1)]
    assert [int(name) for name in names] == [0, 0, 0, 1, 1, 2**55 - 1]
    assert {len(name) for name in names} == {17}


@pytest.mark.parametrize(
    ("split", "count", "name"),
    [
        ("", 10**6, None),
        ("digits", 512, None),
        ("digits", 513, "12"),
        ("digits", 262_144, "12"),
        ("digits", 262_145, "123"),
        ("numbers", 512, None),
        ("numbers", 513, "00000000000004822"),
    ],
)
def test_splitter(split: str, count: int, name: str | None) -> None:
    name_of = rows.splitter(Table("t", (), (), split, ()), count)
    assert (name_of(b"1234567\n") if name_of else None) == name


@pytest.mark.parametrize("count", [0, 10])
def test_another_number_of_rows_than_counted(tmp_path: Path, count: int) -> None:
    with pytest.raises(BackupError, match="table passages: found 2 rows; expected the"):
        rows.stage(Staging(tmp_path / "folder"), TABLE, lines([b"1", b"2"]), count)


def test_no_rows_where_many_were_counted(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="found 0 rows; expected the 5000 that the database counted"):
        rows.stage(Staging(tmp_path / "folder"), TABLE, [], 5000)


class TestDefinitions:
    HEAD = b"--\n-- PostgreSQL database dump\n--\n\n"
    VERSIONS = b"-- Dumped from database version 17.6\n-- Dumped by pg_dump version 17.6\n\n"
    BODY = b"SET a = 1;\n" * 10 + b"SELECT '\n\\restrict OTHER\n-- Dumped by hand\n\\unrestrict OTHER\n';\n"

    def test_changing_lines_are_removed(self) -> None:
        sql = self.HEAD + b"\\restrict KEY\n" + self.VERSIONS + self.BODY + b"\\unrestrict KEY\n"
        assert constant(sql) == self.HEAD + b"\n" + self.BODY

    def test_without_restrict(self) -> None:
        """As pg_dump wrote before August 2025."""
        assert constant(self.HEAD + self.BODY) == self.HEAD + self.BODY

    def test_complete(self) -> None:
        end = b"SELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n\n"
        assert is_complete(end + b"\\unrestrict " + b"x" * 63 + b"\n\n")
        assert not is_complete(end[:-20])


class TestScript:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        staging = Staging(tmp_path / "postgres")
        staging.write("pre-data.sql", b"CREATE;\n")
        staging.write("post-data.sql", b"INDEX;\n")
        record = rows.stage(staging, TABLE, lines([b"1"]), 1)
        sequence = {"name": "it's", "last_value": 7, "is_called": True}
        staging.write_json("tables.json", {"tables": [record.__dict__], "sequences": [sequence]})
        return tmp_path / "postgres"

    def test_order(self, folder: Path) -> None:
        assert b"".join(script(folder, restrict=False)).decode().splitlines() == [
            "CREATE;",
            'COPY public."passages" ("hash", "text") FROM STDIN;',
            "\\\\x31\ttext",
            "\\.",
            "SELECT pg_catalog.setval('public.\"it''s\"', 7, true);",
            "INDEX;",
        ]

    def test_restricted_by_a_new_key(self, folder: Path) -> None:
        scripts = [b"".join(script(folder, restrict=True)).splitlines() for _ in range(2)]
        assert scripts[0][0] != scripts[1][0]
        for words in scripts:
            assert words[0].startswith(b"\\restrict ")
            assert words[-1] == b"\\un" + words[0][1:]

    def test_unused_sequence(self) -> None:
        sequence = {"name": "s", "last_value": 1, "is_called": False}
        assert set_sequence(sequence) == "SELECT pg_catalog.setval('public.\"s\"', 1, false);\n"


class Version(Services):
    """A psql that prints a version."""

    def __init__(self, text: str) -> None:
        self.text = text

    def command(
        self, service: str, command: Sequence[str], environment: Mapping[str, str], deadline_s: float
    ) -> list[str]:
        return ["echo", self.text]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("psql (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)", True),
        ("psql (PostgreSQL) 17.5", False),
        ("psql (PostgreSQL) 15.14", True),
        ("psql (PostgreSQL) 12.22", False),
        ("psql (PostgreSQL) 18.0", True),
        ("psql (PostgreSQL) 19beta1", True),
    ],
)
def test_restrict_by_version(version: str, expected: bool) -> None:
    assert _knows_restrict(Version(version), "postgres") is expected


def test_unknown_version() -> None:
    with pytest.raises(BackupError, match="psql in postgres: found nonsense; expected a version"):
        _knows_restrict(Version("nonsense"), "postgres")
