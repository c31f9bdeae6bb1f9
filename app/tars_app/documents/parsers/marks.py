# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a quotation stands on the picture of a page, from texts with their boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

_MOST_OCCURRENCES = 1000
_SAME_LINE = 0.5
"""Boxes are on one line where they share this part of the lower one's height."""
_WIDEST_GAP = 3.0
"""Between boxes of one line, in heights of the line: a wider one divides columns."""


@dataclass(frozen=True)
class Rectangle:
    """A rectangle on a page. Its sides are at these shares (0 to 1) of the page's width, or height from its top."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """The height."""
        return self.bottom - self.top

    def around(self, other: Rectangle) -> Rectangle:
        """Return the smallest rectangle around both."""
        return Rectangle(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True)
class Piece:
    """A text and its box: a character of a text layer, the value of a form field, or a word that was recognised."""

    text: str
    box: Rectangle


def find_marks(pieces: Sequence[Piece], quotation: str, before: str = "") -> list[Rectangle]:
    """Return the rectangles, one for each line, that cover a quotation; none where it does not occur.

    It is searched by its letters and digits alone, without case and accents, so that line breaks, spaces, hyphens and
    ligatures do not matter. Of several occurrences, it is the one that follows most of the text `before` it.
    """
    wanted, leading = letters(quotation), letters(before)
    owners: list[int] = []
    parts: list[str] = []
    for number, piece in enumerate(pieces):
        part = letters(piece.text)
        parts.append(part)
        owners += [number] * len(part)
    text = "".join(parts)
    starts = list(islice(_occurrences(text, wanted), _MOST_OCCURRENCES)) if wanted else []
    if not starts:
        return []
    start = max(starts, key=lambda start: _common_end(text[max(0, start - len(leading)) : start], leading))
    first, last = owners[start], owners[start + len(wanted) - 1]
    first, last = _with_signs(pieces, first, last, quotation)
    return _lines(pieces[first : last + 1])


def letters(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))


def _occurrences(text: str, wanted: str) -> Iterator[int]:
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + 1)


def _common_end(text: str, other: str) -> int:
    pairs = zip(reversed(text), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _with_signs(pieces: Sequence[Piece], first: int, last: int, quotation: str) -> tuple[int, int]:
    """Return the range of pieces with the signs before and after, as quotation marks and full stops."""
    signs = "".join(quotation.split())
    opening = len(signs) - len(_without_signs(signs))
    closing = len(signs) - len(_without_signs(signs[::-1]))
    while opening and first and _is_sign(pieces[first - 1]):
        first, opening = first - 1, opening - 1
    while closing and last + 1 < len(pieces) and _is_sign(pieces[last + 1]):
        last, closing = last + 1, closing - 1
    return first, last


def _without_signs(text: str) -> str:
    return text[next((place for place, character in enumerate(text) if letters(character)), len(text)) :]


def _is_sign(piece: Piece) -> bool:
    return bool(piece.text.strip()) and not letters(piece.text)


def _lines(pieces: Sequence[Piece]) -> list[Rectangle]:
    lines: list[Rectangle] = []
    last: Piece | None = None
    for piece in pieces:
        box = piece.box
        if not piece.text.strip() or box.right <= box.left or box.bottom <= box.top:
            continue
        if last and (_continues(lines[-1], box) or _is_below(last, piece)):
            lines[-1] = lines[-1].around(box)
        else:
            lines.append(box)
        last = piece
    return lines


def _continues(line: Rectangle, box: Rectangle) -> bool:
    shared = min(line.bottom, box.bottom) - max(line.top, box.top)
    gap = max(box.left - line.right, line.left - box.right)
    return shared >= _SAME_LINE * min(line.height, box.height) and gap <= _WIDEST_GAP * max(line.height, box.height)


def _is_below(last: Piece, piece: Piece) -> bool:
    """Return whether a character is the next one of a text that runs down or up the page."""
    box, other = piece.box, last.box
    shared = min(box.right, other.right) - max(box.left, other.left)
    gap = max(box.top - other.bottom, other.top - box.bottom)
    narrower = min(box.right - box.left, other.right - other.left)
    return (
        len(piece.text) == len(last.text) == 1
        and shared >= _SAME_LINE * narrower
        and gap <= max(box.height, other.height)
    )
