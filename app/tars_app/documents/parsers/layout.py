# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the paragraphs and tables of a document together to one text, within bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tars_app.documents.parsers.encoding import plain
from tars_app.documents.parsers.headings import Heading, divide
from tars_app.documents.parsers.model import Section, UnreadableError

MOST_CHARACTERS = 20_000_000
"""Of the text of one file: some 10,000 pages."""
_BLANKS = re.compile(r"[^\S\n]+(?=\n)")
_SPACE = re.compile(r"\s+")


class Layout:
    """Collects text: paragraphs are followed by an empty line, rows of a table are lines with tabs between cells."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._characters = 0
        self._length = 0
        self._headings: list[Heading] = []
        self._in_table = False

    def paragraph(self, text: str, level: int = 0) -> None:
        """Append a paragraph, also of several lines; nothing where it has no text. A heading has a level from 1."""
        if text := _BLANKS.sub("", plain(text)).strip():
            self._append(text, apart=True)
            self._in_table = False
            if level:
                self._headings.append(Heading(self._length - len(text), level, text))

    def row(self, cells: Sequence[str]) -> None:
        """Append a row of a table; nothing where all cells are empty."""
        line = row_text(cells)
        if line.strip():
            self._append(line, apart=not self._in_table)
            self._in_table = True

    def end_table(self) -> None:
        """Begin a new table with the next row."""
        self._in_table = False

    def _append(self, text: str, apart: bool) -> None:
        self._characters += len(text) + 2
        check_length(self._characters)
        if self._parts:
            self._parts.append("\n\n" if apart else "\n")
            self._length += len(self._parts[-1])
        self._parts.append(text)
        self._length += len(text)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def sections(self, title: str = "") -> list[Section]:
        """Return the text so far, without a place, divided at its headings, and with the title in each header."""
        return divide(self.text, self._headings, title)


def check_length(characters: int) -> None:
    """Raise UnreadableError where a file has more text than any document of a household."""
    if characters > MOST_CHARACTERS:
        raise UnreadableError(
            f"The file has more than {MOST_CHARACTERS // 1_000_000} million characters of text; split it."
        )


def row_text(cells: Sequence[str]) -> str:
    """Return the line of a row: cells apart by tabs, without the empty ones at its end."""
    return "\t".join(_SPACE.sub(" ", plain(cell)).strip() for cell in cells).rstrip("\t")


def names(text: str) -> frozenset[str]:
    """Return the words of a list that is written as one text."""
    return frozenset(text.split())
