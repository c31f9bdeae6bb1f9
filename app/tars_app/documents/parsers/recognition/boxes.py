# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each word of a recognised page stands, in 12 bytes a word.

A record has six numbers of 16 bits: the characters of the text between the last word and this one, those of the word,
and left, top, right and bottom as shares of the page's width and height, of which 65,535 is the whole. A word that was
divided at the end of a line has a record for each part. The page is upright as it is shown: a photo by its EXIF
orientation, a page of a PDF by its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_RECORD = struct.Struct("<6H")
_WHOLE = 65_535


@dataclass(frozen=True)
class WordBox:
    """Characters `start` to `end` of the text of a page, and their rectangle in shares (0..1) of its sides."""

    start: int
    end: int
    left: float
    top: float
    right: float
    bottom: float


def encode(words: Iterable[WordBox]) -> bytes:
    """Return the records of words in the order of the text. Those too far from the last one are left out."""
    records = bytearray()
    last = 0
    for word in words:
        numbers = word.start - last, word.end - word.start
        if all(0 <= number <= _WHOLE for number in numbers):
            sides = (
                round(min(max(side, 0.0), 1.0) * _WHOLE) for side in (word.left, word.top, word.right, word.bottom)
            )
            records += _RECORD.pack(*numbers, *sides)
            last = word.end
    return bytes(records)


def decode(boxes: bytes) -> Iterator[WordBox]:
    """Yield the words of a page, from their records."""
    last = 0
    for skipped, length, *sides in _RECORD.iter_unpack(boxes[: len(boxes) // _RECORD.size * _RECORD.size]):
        start, last = last + skipped, last + skipped + length
        left, top, right, bottom = (side / _WHOLE for side in sides)
        yield WordBox(start, last, left, top, right, bottom)
