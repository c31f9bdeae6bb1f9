# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the sentences of a section into chunks that fit the input of an embedding model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from tars_app.documents.languages import ENGLISH, language_of
from tars_app.documents.parsers.model import Section
from tars_app.kit.sentences import Span, sentences
from tars_app.kit.tokens import embedded_tokens

_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"(?<=\S)\s+(?=\S)")
_RANKED_CHARACTERS = 60
MOST_TOKENS = 250
"""Of a chunk in another language than English, estimated: all-minilm reads 256, with two of its own."""


@dataclass(frozen=True)
class Chunk:
    """A passage: `text == page.text[start:end]`."""

    page: int
    start: int
    end: int
    text: str


def chunk_page(page: Section, most_words: int, most_characters: int) -> list[Chunk]:
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
        chunks += (Chunk(page.number, *part, page.text[slice(*part)]) for part in _fitting(page.text, start, end))
        first = next_first
    return chunks


def _fitting(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a chunk, each of which fits the model: the chunk itself, or its halves.

    The limits of words and characters are those of English prose, for which they are right: so its chunks depend on
    nothing else.
    """
    piece = text[start:end]
    if embedded_tokens(piece) <= MOST_TOKENS or language_of(piece) == ENGLISH:
        yield start, end
        return
    spans = sentences(piece)[1:]
    opening = [span.start for span in spans if span.opens and len(piece) // 4 <= span.start <= len(piece) * 3 // 4]
    cuts = opening or [span.start for span in spans] or [match.end() for match in _SPACE.finditer(piece)]
    middle = min(cuts, default=len(piece) // 2, key=lambda cut: abs(cut - len(piece) // 2))
    first_end = start + len(piece[:middle].rstrip())
    yield from _fitting(text, start, first_end)
    yield from _fitting(text, start + middle, end)


def _rank(text: str, piece: Span) -> int:
    """Return a number that depends on the beginning of the text from the piece on alone."""
    return crc32(text[piece.start : piece.start + _RANKED_CHARACTERS].encode())


def _pieces(text: str, most_words: int, most_characters: int) -> Iterator[Span]:
    """Yield sentences; of those longer than a chunk the words, and longer words are cut anywhere."""
    for sentence in _whole_tables(text, most_words, most_characters):
        words = list(_WORD.finditer(text, sentence.start, sentence.end))
        if len(words) <= most_words and sentence.end - sentence.start <= most_characters:
            yield sentence
            continue
        for word in words:
            for start in range(word.start(), word.end(), most_characters):
                end = min(start + most_characters, word.end())
                yield Span(start, end, sentence.opens and start == sentence.start)


def _whole_tables(text: str, most_words: int, most_characters: int) -> Iterator[Span]:
    """Yield sentences; of a table that fits into a chunk, all rows together."""
    rows: list[Span] = []
    for span in [*sentences(text), None]:
        if rows and (span is None or not _follows_in_table(text, rows[-1], span)):
            start, end = rows[0].start, rows[-1].end
            fits = end - start <= most_characters and len(_WORD.findall(text, start, end)) <= most_words
            yield from [Span(start, end, rows[0].opens)] if fits else rows
            rows = []
        if span:
            rows.append(span)


def _follows_in_table(text: str, row: Span, span: Span) -> bool:
    """Return whether two lines are rows of one table, in Markdown or with tabs between cells."""
    between = text[row.end : span.start]
    return between.count("\n") == 1 and all(
        text.startswith("|", line.start) or "\t" in text[line.start : line.end] for line in (row, span)
    )
