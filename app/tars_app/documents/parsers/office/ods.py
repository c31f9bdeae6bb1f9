# SPDX-License-Identifier: GPL-3.0-or-later
"""Spreadsheets of OpenDocument (ODS). Cells have the text that the program showed when the file was saved."""

from __future__ import annotations

from collections.abc import Iterator

from tars_app.documents.parsers.archive import Element, attribute, local
from tars_app.documents.parsers.model import Parsed
from tars_app.documents.parsers.office.opendocument import (
    body,
    document_date,
    hidden_styles,
    inline,
    open_document,
    repeats,
    rows,
)
from tars_app.documents.parsers.office.sheets import MOST_COLUMNS, SHEET_ROWS, Workbook


def parse(content: bytes) -> Parsed:
    """Return the sheets; hidden ones are labelled.

    Raises:
        UnreadableError: the file is damaged, encrypted, not a spreadsheet, or too large.
    """
    archive = open_document(content, "an OpenDocument spreadsheet (ODS)")
    root = archive.xml("content.xml")
    hidden = hidden_styles(root)
    workbook = Workbook()
    for table in body(archive, root, "spreadsheet").iterfind("{*}table"):
        mark = " (hidden)" if attribute(table, "style-name") in hidden else ""
        workbook.add(f"sheet {attribute(table, 'name')}{mark}", _rows(table))
    return workbook.parsed(document_date(archive))


def _rows(table: Element) -> Iterator[list[str]]:
    for row in rows(table):
        cells = _cells(row)
        yield from (cells for _ in range(repeats(row, "rows", SHEET_ROWS)))


def _cells(row: Element) -> list[str]:
    """Return the cells without the empty ones at the end, which fill the sheet."""
    cells: list[str] = []
    empty = 0
    for cell in row:
        if local(cell) not in ("table-cell", "covered-table-cell"):
            continue
        text = "\n".join("".join(inline(paragraph, [])) for paragraph in cell.iterfind("{*}p"))
        count = repeats(cell, "columns", MOST_COLUMNS + 1)
        if not text:
            empty += count
            continue
        cells += [""] * min(empty, MOST_COLUMNS) + [text] * count
        empty = 0
        if len(cells) > MOST_COLUMNS:
            break
    return cells
