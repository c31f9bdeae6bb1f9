# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a text into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter

from tars_app.kit.text import words

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
# After the end of a sentence: not after an initial or an ordinal ("z. B.", "3. May"), and not before a small letter.
_NO_END = "".join(
    rf"(?<!\b{word}\.)"
    for word in words("Mr Mrs Ms Dr Prof Hr Fr Nr Str St Tel ca approx max min incl inkl zzgl Abs Ziff vgl")
)
_SENTENCE = re.compile(
    rf"[.!?…](?:(?<=[^\W\d_]{{2}}[.!?…]){_NO_END}[\"'\u201d\u2019»)\]]*\s+(?=[^\sa-zäöü])"
    r"|(?<=[\d)\]\"\u201d][.!?…])(?<!\s\d\.)(?<!\s\d\d\.)\s+(?=[A-ZÄÖÜ\"\u201c\u201e]))"
)
# Stops of other scripts: those of Chinese and Japanese have no space after them. Thai, Lao, Khmer and Burmese write a
# space between sentences, and between the parts of long ones.
_FOREIGN_SENTENCE = re.compile(
    "[\u3002\uff01\uff1f\uff61][\u300d\u300f\uff09\u201d]*\\s*(?=\\S)"
    "|[\u0589\u061f\u06d4\u0964\u0965\u104b\u17d4]\\s+(?=\\S)"
    "|(?<=[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff])\\s+(?=[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff])"
)
_LIST_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+•·#|>]|\d+[.)])[ \t]*\S)")
# A row of a table: cells with tabs between them.
_ROW = re.compile(r"\n(?=[^\n]*\S\t)")
# A short line that the next one does not continue is a heading, or a field of a form.
_SHORT_LINE = re.compile(r"(?:(?<=\n)|\A)[^\n]{1,50}[^\n,;\-\u2013(]\n(?=[A-ZÄÖÜ0-9])")


@dataclass(frozen=True)
class Span:
    """Half-open character offsets into a text. `opens` is True where a paragraph, item or heading begins."""

    start: int
    end: int
    opens: bool = False


def sentences(text: str) -> list[Span]:
    """Return the spans of a text's sentences, in order and without the white space between them."""
    return list(iterate_sentences(text))


def iterate_sentences(text: str) -> Iterator[Span]:
    """Yield what `sentences` returns. The spans of a large text take many times its memory."""
    start, opens = 0, True
    for end, next_opens in chain(_cuts(text), [(len(text), False)]):
        piece = text[start:end]
        if stripped := piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            yield Span(begin, begin + len(stripped), opens)
        start, opens = end, next_opens


def _cuts(text: str) -> Iterator[tuple[int, bool]]:
    """Yield where a sentence begins after another one, in order, and whether a paragraph, item or heading does."""
    ends = (_SENTENCE,) if text.isascii() else (_SENTENCE, _FOREIGN_SENTENCE)
    begins = (_PARAGRAPH, _LIST_ITEM, _ROW, _SHORT_LINE)
    matches = [_matches(pattern, text, pattern in begins) for pattern in (*ends, *begins)]
    for position, cuts in groupby(merge(*matches), key=itemgetter(0)):
        yield position, any(opens for _, opens in cuts)


def _matches(pattern: re.Pattern[str], text: str, opens: bool) -> Iterator[tuple[int, bool]]:
    return ((match.end(), opens) for match in pattern.finditer(text))
