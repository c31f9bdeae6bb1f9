# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a version as a list of passages, from which its pages can be put together again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tars_app.documents.chunks import chunk_page
from tars_app.documents.model import Page


@dataclass(frozen=True)
class PlacedPassage:
    """A passage on its page.

    `before` is the text between the previous passage of the page, or the begin of the page, and this one. `after` is
    the text up to the end of the page where this is the last passage of the page, else empty.
    """

    page: int
    before: str
    text: str
    after: str

    @property
    def hash(self) -> bytes:
        """SHA-256 of the text in UTF-8: equal passages have one entry in the database."""
        return hashlib.sha256(self.text.encode()).digest()


def place_passages(pages: Sequence[Page], most_words: int, most_characters: int) -> list[PlacedPassage]:
    """Return the passages of pages that have text, in order. Raises nothing."""
    return [passage for page in pages for passage in _on_page(page, most_words, most_characters)]


def _on_page(page: Page, most_words: int, most_characters: int) -> Iterator[PlacedPassage]:
    chunks = chunk_page(page, most_words, most_characters)
    begin = 0
    for number, chunk in enumerate(chunks, 1):
        after = page.text[chunk.end :] if number == len(chunks) else ""
        yield PlacedPassage(page.number, page.text[begin : chunk.start], chunk.text, after)
        begin = chunk.end


def join_pages(passages: Sequence[PlacedPassage]) -> list[Page]:
    """Return the pages of which these are the passages: the reverse of `place_passages`."""
    return [
        Page(number, "".join(passage.before + passage.text + passage.after for passage in on_page))
        for number, on_page in groupby(passages, key=lambda passage: passage.page)
    ]
