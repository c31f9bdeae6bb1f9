# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a version as a list of passages, from which its sections can be put together again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from tars_app.documents.chunks import chunk_page
from tars_app.documents.parsers.model import Section

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class PlacedPassage:
    """A passage in its section: `page`, `label` and `header` are the section's number, label and header.

    `before` is the text between the previous passage of the section, or its begin, and this one. `after` is the text up
    to the end of the section where this is its last passage, else empty.
    """

    page: int
    before: str
    text: str
    after: str
    label: str = ""
    header: str = ""

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

    A header counts towards the size of each passage of its section, and takes a third of it at most.
    """
    return [passage for section in sections for passage in _in_section(section, most_words, most_characters)]


def _in_section(section: Section, most_words: int, most_characters: int) -> Iterator[PlacedPassage]:
    header = section.header[: most_characters // 3]
    words = list(islice(_WORD.finditer(header), most_words // 3))
    header = header[: words[-1].end()] if words else ""
    chunks = chunk_page(section, most_words - len(words), most_characters - len(header))
    begin = 0
    for number, chunk in enumerate(chunks, 1):
        before, after = section.text[begin : chunk.start], section.text[chunk.end :] if number == len(chunks) else ""
        yield PlacedPassage(section.number, before, chunk.text, after, section.label, header)
        begin = chunk.end


def join_sections(passages: Sequence[PlacedPassage]) -> list[Section]:
    """Return the sections of which these are the passages: the reverse of `place_passages`."""
    return [
        Section(number, "".join(passage.before + passage.text + passage.after for passage in inside), label, header)
        for (number, label, header), inside in groupby(passages, key=lambda p: (p.page, p.label, p.header))
    ]
