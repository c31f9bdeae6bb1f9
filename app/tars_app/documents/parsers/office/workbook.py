# SPDX-License-Identifier: GPL-3.0-or-later
"""Spreadsheets of Excel (XLSX), by openpyxl, which knows the number formats, else by calamine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

from openpyxl import load_workbook

from tars_app.documents.parsers.archive import Archive
from tars_app.documents.parsers.model import Parsed, UnreadableError
from tars_app.documents.parsers.office import old_workbook
from tars_app.documents.parsers.office.number_format import show
from tars_app.documents.parsers.office.ooxml import office_date
from tars_app.documents.parsers.office.sheets import MOST_COLUMNS, Workbook

_DAMAGED = "The file is damaged: numbers and dates are shown without their formats, and some may be missing."
MOST_BYTES = 512 * 1024 * 1024
"""Of all parts: sheets are read row by row."""


def parse(content: bytes) -> Parsed:
    """Return the sheets: numbers and dates as they are formatted, formulas by the value that was stored with them.

    Raises:
        UnreadableError: the file is damaged, encrypted, not a spreadsheet, or too large.
    """
    archive = Archive(content, "an Excel spreadsheet (XLSX)")
    archive.check(MOST_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about extensions of Excel, which have no text
        try:
            book = load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
        except Exception:  # noqa: BLE001  openpyxl has no error of its own, and fails on parts that hold no text
            parsed = old_workbook.parse(content)
            return replace(parsed, notes=[*parsed.notes, _DAMAGED])
        return _read(book).parsed(office_date(archive))


def _read(book: Any) -> Workbook:
    workbook = Workbook()
    try:
        for sheet in book.worksheets:
            mark = "" if sheet.sheet_state == "visible" else " (hidden)"
            workbook.add(f"sheet {sheet.title}{mark}", _rows(sheet))
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # openpyxl has no error of its own for a damaged sheet
        raise UnreadableError(
            f"The file is damaged in its sheet {len(workbook.sections) + 1}: open it, and save it again."
        ) from error
    return workbook


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # which a file may state as it likes
    for row in sheet.iter_rows():
        yield [
            "" if cell.value is None else show(cell.value, cell.number_format or "General")
            for cell in row[: MOST_COLUMNS + 1]
        ]
