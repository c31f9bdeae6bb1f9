# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary spreadsheets of Excel (XLS, XLSB), by calamine. Their number formats are not read: dates are in ISO 8601."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from tars_app.documents.parsers.model import Parsed, UnreadableError
from tars_app.documents.parsers.office.number_format import show
from tars_app.documents.parsers.office.sheets import MOST_COLUMNS, Workbook


def parse(content: bytes) -> Parsed:
    """Return the sheets; hidden ones are labelled.

    Raises:
        UnreadableError: the file is damaged, encrypted, not a spreadsheet, or too large.
    """
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        workbook = Workbook()
        for sheet in book.sheets_metadata:
            if sheet.typ == SheetTypeEnum.WorkSheet:
                mark = "" if sheet.visible == SheetVisibleEnum.Visible else " (hidden)"
                workbook.add(f"sheet {sheet.name}{mark}", _rows(book.get_sheet_by_name(sheet.name)))
    except PasswordError as error:
        raise UnreadableError("The file is encrypted: save a copy without a password.") from error
    except CalamineError as error:
        raise UnreadableError(
            "The file is not an Excel spreadsheet, or it is damaged: open it, and save it again as XLSX."
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust, and not an Exception
            raise
        raise UnreadableError("The file is damaged: open it, and save it as XLSX.") from None
    return workbook.parsed()


def _rows(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.to_python(skip_empty_area=False):
        yield [show(value) for value in row[: MOST_COLUMNS + 1]]
