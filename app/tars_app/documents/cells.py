# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of a spreadsheet that a quotation stands in: sheets have one line for each row, and tabs between cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHEET = re.compile(r"(?:\A|, )(?:sheet .+|table)\Z", re.DOTALL)


def is_sheet(label: str) -> bool:
    """Return whether the section of this label is a sheet."""
    return bool(_SHEET.search(label))


@dataclass(frozen=True)
class Line:
    """A row of a sheet: its number, from 1, its cells, and the places, from 0, of those that a quotation stands in."""

    number: int
    cells: list[str]
    marked: frozenset[int]


def read_lines(text: str, number: int, start: int, end: int) -> Iterator[Line]:
    """Yield the rows of a text of a sheet, whose first one has this number; `start` and `end` are a quotation's."""
    position = 0
    for count, line in enumerate(text.split("\n")):
        cells = line.split("\t")
        marked = set()
        for place, cell in enumerate(cells):
            if max(position, start) < min(position + len(cell), end):
                marked.add(place)
            position += len(cell) + 1
        yield Line(number + count, cells, frozenset(marked))


def cell_place(before: str, quotation: str, header: str = "") -> str:
    """Return where a quotation stands, as "row 12, column B (Amount)".

    `before` is the text of the sheet before it, `header` that of its section: the last line has the titles of columns.
    """
    row, rows = before.count("\n") + 1, quotation.strip("\n").count("\n")
    if rows:
        return f"rows {row} to {row + rows}"
    titles = header.rpartition("\n")[2].split("\t")
    first = before.rpartition("\n")[2].count("\t")
    last = first + quotation.count("\t")
    if first == last:
        return f"row {row}, column {_column(first, titles)}"
    return f"row {row}, columns {_column(first, titles)} to {_column(last, titles)}"


def _column(column: int, titles: list[str]) -> str:
    title = f" ({titles[column]})" if column < len(titles) and titles[column] else ""
    return f"{column_name(column)}{title}"


def column_name(column: int) -> str:
    """Return the letters of a column, which counts from 0: A, B, ..., Z, AA."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
