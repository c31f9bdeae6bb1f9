# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting a page into sentences, and packing sentences into chunks that an embedding model reads to the end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tars_app.documents.extract import Page

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
# After the end of a sentence: not after an initial or an ordinal ("z. B.", "3. May"), and not before a small letter.
_SENTENCE = re.compile(
    r"(?<=[^\W\d_]{2}[.!?…])[\"'\u201d\u2019»)\]]*\s+(?=[^\sa-zäöü])"
    r"|(?<=[\d)\]\"\u201d][.!?…])(?<!\s\d\.)(?<!\s\d\d\.)\s+(?=[A-ZÄÖÜ\"\u201c\u201e])"
)
_LIST_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+•·#|>]|\d+[.)])[ \t]*\S)")
# A short line that the next one does not continue is a heading, or a field of a form.
_SHORT_LINE = re.compile(r"(?:(?<=\n)|\A)[^\n]{1,50}[^\n,;\-\u2013(]\n(?=[A-ZÄÖÜ0-9])")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Span:
    """Half-open character offsets into a page's text. `opens` is True where a paragraph, item or heading begins."""

    start: int
    end: int
    opens: bool = False


@dataclass(frozen=True)
class Chunk:
    """A passage: `text == page.text[start:end]`."""

    page: int
    start: int
    end: int
    text: str


def sentences(text: str) -> list[Span]:
    """The sentences of a text, in order and without the white space between them."""
    cuts: dict[int, bool] = {0: True}
    for match in _SENTENCE.finditer(text):
        cuts.setdefault(match.end(), False)
    for pattern in (_PARAGRAPH, _LIST_ITEM, _SHORT_LINE):
        for match in pattern.finditer(text):
            cuts[match.end()] = True
    starts = sorted(cuts)
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:end]
        if stripped := piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            found.append(Span(begin, begin + len(stripped), cuts[start]))
    return found


def chunk_page(page: Page, most_words: int, most_characters: int) -> list[Chunk]:
    """Chunks of whole sentences where these fit; a new one begins with a paragraph once the last is half full."""
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
    """Sentences, those that are longer than a chunk cut between words, and words longer than a chunk cut anywhere."""
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
