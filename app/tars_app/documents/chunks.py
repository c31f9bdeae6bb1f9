# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the sentences of a section into chunks that fit the input of an embedding model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from zlib import crc32

from tars_app.documents.languages import ENGLISH, language_of
from tars_app.documents.parsers.model import Section
from tars_app.kit.sentences import Span, iterate_sentences, sentences
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
    pieces = ((piece, _count(page.text, piece)) for piece in _pieces(page.text, most_words, most_characters))
    chunks: list[Chunk] = []
    window: list[tuple[Span, int]] = []  # not all pieces: those of a large text take many times its memory
    while window or _extend(window, pieces):
        start, count = window[0][0].start, window[0][1]
        number = half_full = 1
        while number < len(window) or _extend(window, pieces):
            piece, words = window[number]
            if count < most_words / 2 and window[number - 1][0].end - start < most_characters / 2:
                half_full = number + 1
            elif piece.opens:
                break
            count += words
            if count > most_words or piece.end - start > most_characters:
                cuts = range(min(half_full, number), number + 1)
                number = min(cuts, key=lambda cut: _rank(page.text, window[cut][0]))
                break
            number += 1
        end = window[number - 1][0].end
        chunks += (Chunk(page.number, *part, page.text[slice(*part)]) for part in _fitting(page.text, start, end))
        del window[:number]
    return chunks


def _extend(window: list[tuple[Span, int]], pieces: Iterator[tuple[Span, int]]) -> bool:
    """Add the next piece to the window; return whether there is one."""
    window.extend(added := list(islice(pieces, 1)))
    return bool(added)


def _count(text: str, span: Span) -> int:
    return len(_WORD.findall(text, span.start, span.end))


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
        if _fits(text, sentence, most_words, most_characters):
            yield sentence
            continue
        for word in _WORD.finditer(text, sentence.start, sentence.end):
            for start in range(word.start(), word.end(), most_characters):
                end = min(start + most_characters, word.end())
                yield Span(start, end, sentence.opens and start == sentence.start)


def _whole_tables(text: str, most_words: int, most_characters: int) -> Iterator[Span]:
    """Yield sentences; of a table that fits into a chunk, all rows together."""
    rows: list[Span] = []
    last: Span | None = None
    is_divided = False
    for span in chain(iterate_sentences(text), (None,)):
        if last and (span is None or not _follows_in_table(text, last, span)):
            if rows:
                yield _whole(rows)
            rows, is_divided = [], False
        if span:
            rows.append(span)
            if is_divided or not _fits(text, _whole(rows), most_words, most_characters):
                yield from rows
                rows, is_divided = [], True
        last = span


def _whole(rows: Sequence[Span]) -> Span:
    return Span(rows[0].start, rows[-1].end, rows[0].opens)


def _fits(text: str, span: Span, most_words: int, most_characters: int) -> bool:
    characters = span.end - span.start
    # Between two words is a character at least: of a short text, they need not be counted.
    return characters <= most_characters and (characters <= 2 * most_words or _count(text, span) <= most_words)


def _follows_in_table(text: str, row: Span, span: Span) -> bool:
    """Return whether two lines are rows of one table, in Markdown or with tabs between cells."""
    between = text[row.end : span.start]
    return between.count("\n") == 1 and all(
        text.startswith("|", line.start) or "\t" in text[line.start : line.end] for line in (row, span)
    )
