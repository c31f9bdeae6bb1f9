# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the sentences of a page into chunks that fit the input of an embedding model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tars_app.documents.model import Page
from tars_app.kit.sentences import Span, sentences

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Chunk:
    """A passage: `text == page.text[start:end]`."""

    page: int
    start: int
    end: int
    text: str


def chunk_page(page: Page, most_words: int, most_characters: int) -> list[Chunk]:
    """Return the chunks of a page, in order.

    A chunk holds whole sentences where these fit, at most `most_words` words and `most_characters` characters. A
    paragraph begins a new chunk once the last one is half full.
    """
    chunks: list[Chunk] = []
    start: int | None = None
    end = words = 0
    for span in _pieces(page.text, most_words, most_characters):
        count = len(_WORD.findall(page.text, span.start, span.end))
        if start is not None:
            full = words + count > most_words or span.end - start > most_characters
            half_full = words >= most_words // 2 or end - start >= most_characters // 2
            if full or (span.opens and half_full):
                chunks.append(Chunk(page.number, start, end, page.text[start:end]))
                start, words = None, 0
        if start is None:
            start = span.start
        end, words = span.end, words + count
    if start is not None:
        chunks.append(Chunk(page.number, start, end, page.text[start:end]))
    return chunks


def _pieces(text: str, most_words: int, most_characters: int) -> Iterator[Span]:
    """Yield sentences; those longer than a chunk are cut between words, and longer words are cut anywhere."""
    for sentence in sentences(text):
        start, end, words, opens = sentence.start, sentence.start, 0, sentence.opens
        for match in _WORD.finditer(text, sentence.start, sentence.end):
            for left in range(match.start(), match.end(), most_characters):
                right = min(left + most_characters, match.end())
                if words and (words == most_words or right - start > most_characters):
                    yield Span(start, end, opens)
                    start, words, opens = left, 0, False
                end, words = right, words + 1
        yield Span(start, end, opens)
