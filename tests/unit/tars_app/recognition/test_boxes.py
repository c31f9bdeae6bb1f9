# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes of words, packed and read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tars_app.documents.parsers.recognition.boxes import WordBox, decode, encode

STARTS = (0, 4, 9, 12, 16, 20, 22, 29, 33, 38)
ENDS = (3, 8, 11, 15, 19, 21, 28, 32, 37, 44)
WORDS = [WordBox(start, end, start / 100, 0.1, end / 100, 0.2) for start, end in zip(STARTS, ENDS, strict=True)]


shares = st.floats(0, 1)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300), shares, shares, shares, shares)))
def test_what_is_packed_is_read_again(entries: list[tuple[int, int, float, float, float, float]]) -> None:
    words, last = [], 0
    for skipped, length, *sides in entries:
        words.append(WordBox(last + skipped, last + skipped + length, *sides))
        last += skipped + length
    packed = encode(words)
    assert len(packed) == 12 * len(words)
    for word, again in zip(words, decode(packed), strict=True):
        assert (word.start, word.end) == (again.start, again.end)
        for side in ("left", "top", "right", "bottom"):
            assert abs(getattr(word, side) - getattr(again, side)) < 1e-4


def test_words_out_of_order_and_half_a_record_are_left_out() -> None:
    assert list(decode(encode([WORDS[3], WORDS[1]]))) == list(decode(encode([WORDS[3]])))
    assert len(list(decode(encode(WORDS)[:-5]))) == len(WORDS) - 1
