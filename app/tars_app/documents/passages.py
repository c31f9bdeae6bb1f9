# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a version as a list of passages, from which its sections can be put together again."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from tars_app.documents.cells import is_sheet
from tars_app.documents.chunks import chunk_page
from tars_app.documents.parsers.model import Section
from tars_app.documents.parsers.tables import Table, tables

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class PlacedPassage:
    """A passage in its section: `page`, `label` and `section_header` are the section's number, label and header.

    `before` is the text between the previous passage of the section, or its begin, and this one. `after` is the text up
    to the end of the section where this is its last passage, else empty. `header_row` is that of the table in which the
    passage begins, empty where it is not in a table, or has the row itself.
    """

    page: int
    before: str
    text: str
    after: str
    label: str = ""
    section_header: str = ""
    header_row: str = ""

    @property
    def header(self) -> str:
        """What belongs to the passage without standing in it."""
        return "\n".join(filter(None, (self.section_header, self.header_row)))

    @property
    def hash(self) -> bytes:
        """SHA-256 of the text in UTF-8, after header and NUL where it has one: equal ones have one entry on record."""
        head = f"{self.header}\0" if self.header else ""
        return hashlib.sha256(f"{head}{self.text}".encode()).digest()

    @property
    def embedded_text(self) -> str:
        """What the vector is computed from."""
        return f"{self.header}\n{self.text}" if self.header else self.text


def place_passages(sections: Sequence[Section], most_words: int, most_characters: int) -> list[PlacedPassage]:
    """Return the passages of sections that have text, in order. Raises nothing.

    A header counts towards the size of each passage of its section, and takes a third of it at most. So does the header
    row of a table that does not fit into a passage, which belongs to those that begin within the table.
    """
    return [passage for section in sections for passage in _in_section(section, most_words, most_characters)]


def _in_section(section: Section, most_words: int, most_characters: int) -> Iterator[PlacedPassage]:
    header = section.header[: most_characters // 3]
    words = list(islice(_WORD.finditer(header), most_words // 3))
    header = header[: words[-1].end()] if words else ""
    left_words, left_characters = most_words - len(words), most_characters - len(header)
    divided = [] if is_sheet(section.label) else _divided(section.text, left_words, left_characters)
    left_words -= max((_count(table.header) for table in divided), default=0)
    left_characters -= max((len(table.header) + 1 for table in divided), default=0)
    chunks = chunk_page(section, left_words, left_characters)
    begin = 0
    for number, chunk in enumerate(chunks, 1):
        before, after = section.text[begin : chunk.start], section.text[chunk.end :] if number == len(chunks) else ""
        place = bisect_right(divided, chunk.start, key=lambda table: table.start) - 1
        row = divided[place].header if place >= 0 and chunk.start < divided[place].end else ""
        yield PlacedPassage(section.number, before, chunk.text, after, section.label, header, row)
        begin = chunk.end


def _divided(text: str, most_words: int, most_characters: int) -> list[Table]:
    """Return the tables of a text, if one of them does not fit into a passage; none whose header row is too long."""
    divided = [
        table
        for table in tables(text)
        if 3 * _count(table.header) <= most_words and 3 * len(table.header) <= most_characters
    ]
    sizes = ((len(table.header) + table.end - table.start, table) for table in divided)
    is_long = any(
        characters > most_characters or _count(table.header) + _count(text[table.start : table.end]) > most_words
        for characters, table in sizes
    )
    return divided if is_long else []


def _count(text: str) -> int:
    return len(_WORD.findall(text))


def join_sections(passages: Sequence[PlacedPassage]) -> list[Section]:
    """Return the sections of which these are the passages: the reverse of `place_passages`."""
    return [
        Section(number, "".join(passage.before + passage.text + passage.after for passage in inside), label, header)
        for (number, label, header), inside in groupby(passages, key=lambda p: (p.page, p.label, p.section_header))
    ]
