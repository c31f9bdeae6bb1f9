# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the sentences of a page into chunks that fit the input of an embedding model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from tars_app.documents.model import Page
from tars_app.kit.sentences import Span, sentences

_WORD = re.compile(r"\S+")
_RANKED_CHARACTERS = 60


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
    paragraph begins a new chunk once the last one is half full. A paragraph that does not fit is cut where its own text
    decides, so that an edit changes the chunks near it, and not all that follow.
    """
    pieces = list(_pieces(page.text, most_words, most_characters))
    words = [len(_WORD.findall(page.text, piece.start, piece.end)) for piece in pieces]
    chunks: list[Chunk] = []
    first = 0
    while first < len(pieces):
        start, count = pieces[first].start, words[first]
        next_first = first + 1
        half_full = next_first
        while next_first < len(pieces):
            if count < most_words / 2 and pieces[next_first - 1].end - start < most_characters / 2:
                half_full = next_first + 1
            elif pieces[next_first].opens:
                break
            count += words[next_first]
            if count > most_words or pieces[next_first].end - start > most_characters:
                cuts = range(min(half_full, next_first), next_first + 1)
                next_first = min(cuts, key=lambda number: _rank(page.text, pieces[number]))
                break
            next_first += 1
        end = pieces[next_first - 1].end
        chunks.append(Chunk(page.number, start, end, page.text[start:end]))
        first = next_first
    return chunks


def _rank(text: str, piece: Span) -> int:
    """Return a number that depends on the beginning of the text from the piece on alone."""
    return crc32(text[piece.start : piece.start + _RANKED_CHARACTERS].encode())


def _pieces(text: str, most_words: int, most_characters: int) -> Iterator[Span]:
    """Yield sentences; of those longer than a chunk the words, and longer words are cut anywhere."""
    for sentence in sentences(text):
        words = list(_WORD.finditer(text, sentence.start, sentence.end))
        if len(words) <= most_words and sentence.end - sentence.start <= most_characters:
            yield sentence
            continue
        for word in words:
            for start in range(word.start(), word.end(), most_characters):
                end = min(start + most_characters, word.end())
                yield Span(start, end, sentence.opens and start == sentence.start)
