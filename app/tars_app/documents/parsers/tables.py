# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a text and their header rows, which the passages of a long table lack but for the first one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tars_app.documents.parsers.office.sheets import header_of

_DELIMITER_ROW = re.compile(r" {0,3}\|(?:[ \t]*:?-+:?[ \t]*\|)*(?:[ \t]*:?-+:?[ \t]*)?")
"""GitHub Flavored Markdown 0.29, 4.10: the row between the header row and the others."""


@dataclass(frozen=True)
class Table:
    """A table in a text: its rows but for the header row stand from `start` to `end`, in characters."""

    header: str
    start: int
    end: int


def tables(text: str) -> list[Table]:
    """Return the tables of a text that have a header row, in Markdown or with tabs between cells, in order."""
    if "|" not in text and "\t" not in text:
        return []
    result: list[Table] = []
    block: list[tuple[int, int]] = []
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if text[start:end].strip():
            block.append((start, end))
        else:
            result += _in_block(text, block)
            block = []
        start = end + 1
    return sorted([*result, *_in_block(text, block)], key=lambda table: table.start)


def _in_block(text: str, lines: list[tuple[int, int]]) -> Iterator[Table]:
    """Yield the tables in lines without an empty one between them."""
    yield from _markdown_tables(text, lines)
    rows = [(start, end) for start, end in lines if "\t" in text[start:end].strip()]
    if len(rows) < 2:
        return
    header = header_of([text[slice(*rows[0])]])
    # Nothing marks a header row here: one with figures is rather the first of the others, and must not stand for them.
    if header and not any(map(str.isdecimal, header)):
        yield Table(header, rows[0][1], rows[-1][1])


def _markdown_tables(text: str, lines: list[tuple[int, int]]) -> Iterator[Table]:
    header, begin, finish = "", 0, 0
    for number, (first, last) in enumerate(lines):
        line = text[first:last]
        is_row = line.lstrip(" ").startswith("|")
        if header and is_row:
            finish = last
            continue
        if header:
            yield Table(header, begin, finish)
            header = ""
        following = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        if is_row and _DELIMITER_ROW.fullmatch(following.rstrip()):
            header, begin = line.strip(), last
    if header:
        yield Table(header, begin, finish)
