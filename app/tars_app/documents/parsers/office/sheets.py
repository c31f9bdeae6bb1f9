# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets of a spreadsheet as text: one line for each row, tabs between cells, so that a position names its cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tars_app.documents.parsers.layout import check_length, row_text
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError

MOST_SHEETS = 500
SHEET_ROWS = 1_048_576
"""Of a sheet of Excel, with the empty ones."""
MOST_ROWS = 200_000
MOST_COLUMNS = 1000
MOST_CELLS = 2_000_000
"""Of all sheets together, with the empty ones between others."""
TABLE = "table"
"""The label of a file that is one table without a name."""
_HEADER_ROWS = 20
_HEADER_CHARACTERS = 500


@dataclass
class Workbook:
    """Collects the sheets of one file. Rows and columns beyond the bounds are left out, with a note."""

    sections: list[Section] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _cells: int = 0
    _characters: int = 0

    def add(self, label: str, rows: Iterable[Sequence[str]]) -> None:
        """Append a sheet: its rows from the first one on, each with its cells from the first column on.

        Raises:
            UnreadableError: there are too many sheets, or too many cells.
        """
        if len(self.sections) >= MOST_SHEETS:
            raise UnreadableError(f"The file has more than {MOST_SHEETS} sheets; split it.")
        lines: list[str] = []
        cut = False
        for number, row in enumerate(islice(rows, SHEET_ROWS)):
            cells = _without_end(row)
            if not cells:
                continue
            if number >= MOST_ROWS:
                self.notes.append(f"Of {label}, the first {MOST_ROWS} rows are read.")
                break
            cut = cut or len(cells) > MOST_COLUMNS
            lines.extend([""] * (number - len(lines)))
            lines.append(row_text(cells[:MOST_COLUMNS]))
            self._count(len(cells), lines[-1])
        if cut:
            self.notes.append(f"Of {label}, the first {MOST_COLUMNS} columns are read.")
        self.sections.append(Section(len(self.sections) + 1, "\n".join(lines), label, header_of(lines)))

    def _count(self, cells: int, line: str) -> None:
        self._cells += cells
        if self._cells > MOST_CELLS:
            raise UnreadableError(f"The file has more than {MOST_CELLS // 1_000_000} million cells; split it.")
        self._characters += len(line) + 1
        check_length(self._characters)

    def parsed(self, date: str | None = None) -> Parsed:
        """Return the sheets."""
        return Parsed(self.sections, date, "Office metadata" if date else "", self.notes)


def _without_end(cells: Sequence[str]) -> Sequence[str]:
    """Return the cells of a row without the empty ones at its end."""
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def header_of(lines: Sequence[str]) -> str:
    """Return the header row: the first row with at least two cells, if none of these is a number; else nothing."""
    for line in lines[:_HEADER_ROWS]:
        cells = [cell for cell in line.split("\t") if cell]
        if len(cells) > 1:
            is_header = not any(any(map(str.isdecimal, cell)) and not any(map(str.isalpha, cell)) for cell in cells)
            return line if is_header and len(line) <= _HEADER_CHARACTERS else ""
    return ""
