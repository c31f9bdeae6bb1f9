# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as text (CSV, TSV; RFC 4180): encoding and delimiter are detected."""

from __future__ import annotations

import csv
from collections import Counter
from io import StringIO

from tars_app.documents.parsers.encoding import decode
from tars_app.documents.parsers.model import Parsed, UnreadableError
from tars_app.documents.parsers.office.sheets import TABLE, Workbook

_DELIMITERS = ";\t,|"
_SAMPLE_LINES = 200
_SAMPLE_CHARACTERS = 200_000
_LARGEST_FIELD = 1_000_000


def parse(content: bytes) -> Parsed:
    """Return the rows of a table, as a spreadsheet numbers them.

    Raises:
        UnreadableError: the file is not text, or its quotation marks do not match.
    """
    decoded = decode(content)
    text = decoded.text
    csv.field_size_limit(_LARGEST_FIELD)
    delimiter = _delimiter(text[:_SAMPLE_CHARACTERS])
    if text[:4].lower() == "sep=":  # a line for Excel, which is not shown
        delimiter, text = text[4:5], text.partition("\n")[2]
    workbook = Workbook(notes=[decoded.note] if decoded.note else [])
    try:
        workbook.add(TABLE, csv.reader(StringIO(text), delimiter=delimiter))
    except (csv.Error, TypeError) as error:
        raise UnreadableError(f"The table cannot be read ({error}): check its quotation marks.") from error
    return workbook.parsed()


def _delimiter(sample: str) -> str:
    """Return the delimiter with which most rows have the same number of cells, and more than one."""
    lines = sample.split("\n")[:_SAMPLE_LINES]

    def regularity(delimiter: str) -> tuple[int, int]:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            return 0, 0
        width, count = max(widths.items(), key=lambda entry: (entry[0] > 1, entry[1]), default=(1, 0))
        return (count, width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=regularity)
