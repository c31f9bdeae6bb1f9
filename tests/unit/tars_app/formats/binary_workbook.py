# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary spreadsheets of Excel (XLS; MS-XLS, BIFF8), as small as they can be."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from .outlook_file import compound_file

_BEGIN, _END, _CODEPAGE, _SHEET, _LABEL, _NUMBER = 0x0809, 0x000A, 0x0042, 0x0085, 0x0204, 0x0203
_OF_BOOK, _OF_SHEET = 0x05, 0x10


def xls(sheets: Mapping[str, Sequence[Sequence[str | float]]], hidden: str = "") -> bytes:
    """Return a spreadsheet of sheets by name: rows of cells, of which those with an empty text are left out."""
    bodies = [_sheet(rows) for rows in sheets.values()]
    head = _begin(_OF_BOOK) + _record(_CODEPAGE, struct.pack("<H", 1200))
    position = len(head) + sum(12 + 2 * len(name) for name in sheets) + 4
    listed = b""
    for name, body in zip(sheets, bodies, strict=True):
        entry = struct.pack("<IBBBB", position, name == hidden, 0, len(name), 1)
        listed += _record(_SHEET, entry + name.encode("utf-16-le"))
        position += len(body)
    return compound_file({"Workbook": head + listed + _record(_END) + b"".join(bodies)})


def _record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _begin(kind: int) -> bytes:
    return _record(_BEGIN, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))


def _sheet(rows: Sequence[Sequence[str | float]]) -> bytes:
    cells = b""
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            place = struct.pack("<HHH", row, column, 0)
            if isinstance(value, float):
                cells += _record(_NUMBER, place + struct.pack("<d", value))
            elif value:
                cells += _record(_LABEL, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
    return _begin(_OF_SHEET) + cells + _record(_END)
