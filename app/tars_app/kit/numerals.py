# SPDX-License-Identifier: GPL-3.0-or-later
"""Read numbers that are spelled out, in English and German."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tars_app.kit.text import words

_ENGLISH_UNITS = dict(
    zip(
        words(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        ),
        range(20),
        strict=True,
    )
)
_ENGLISH_TENS = dict(
    zip(words("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True)
)
_ENGLISH_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_GERMAN_DIGITS = dict(zip(words("ein zwei drei vier fünf sechs sieben acht neun"), range(1, 10), strict=True))
_GERMAN_SMALL = {
    **_GERMAN_DIGITS,
    "null": 0,
    "eins": 1,
    "zwo": 2,
    **dict(
        zip(
            words("zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"),
            range(10, 20),
            strict=True,
        )
    ),
}
_GERMAN_TENS = dict(
    zip(words("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"), range(20, 100, 10), strict=True)
)
_GERMAN_COMPOUND = re.compile(rf"({'|'.join(_GERMAN_DIGITS)})und({'|'.join(_GERMAN_TENS)})")
_GERMAN_ARTICLES = frozenset({"ein", "eine", "einen", "einem", "einer", "eines"})
_GERMAN_SCALES = {"million": 1_000_000, "millionen": 1_000_000, "milliarde": 10**9, "milliarden": 10**9}
_WORD = re.compile(r"[^\W\d_]+")
_JOINT = re.compile(r"(?:\s+|-)(?=[^\W\d_])")
_MOST_WORDS = 16


def number_word(text: str, start: int) -> tuple[int, int] | None:
    """Return the value of the number that is spelled out from `start` on, and where it ends; None where none is.

    An article ("a", "ein") is not a number.
    """
    spelled, ends = _words(text, start)
    english = _english(spelled)
    if english:
        value, count = english
        return value, ends[count - 1]
    if not spelled or spelled[0] in _GERMAN_ARTICLES:
        scale = _GERMAN_SCALES.get(spelled[1]) if len(spelled) > 1 else None
        return (scale, ends[1]) if scale else None
    german = german_number(spelled[0])
    if german is None:
        return None
    if len(spelled) > 1 and (scale := _GERMAN_SCALES.get(spelled[1])):
        return german * scale, ends[1]
    return german, ends[0]


def german_number(word: str) -> int | None:
    """Return the value of a German number below a million, a single word in lower case; None where it is not one."""
    thousands, scale, rest = word.replace("dreissig", "dreißig").partition("tausend")
    if not scale:
        return _german_below_thousand(word)
    high = _german_below_thousand(thousands) if thousands else 1
    low = _german_below_thousand(rest.removeprefix("und")) if rest else 0
    return None if high is None or low is None else high * 1000 + low


def _german_below_thousand(word: str) -> int | None:
    hundreds, scale, rest = word.partition("hundert")
    if not scale:
        return _german_below_hundred(word)
    high = _GERMAN_DIGITS.get(hundreds) if hundreds else 1
    low = _german_below_hundred(rest.removeprefix("und")) if rest else 0
    return None if high is None or low is None else high * 100 + low


def _german_below_hundred(word: str) -> int | None:
    if word in _GERMAN_SMALL:
        return _GERMAN_SMALL[word]
    if word in _GERMAN_TENS:
        return _GERMAN_TENS[word]
    compound = _GERMAN_COMPOUND.fullmatch(word)
    return _GERMAN_DIGITS[compound[1]] + _GERMAN_TENS[compound[2]] if compound else None


def _words(text: str, start: int) -> tuple[list[str], list[int]]:
    """Return the words from `start` on that only a space or a hyphen separates, in lower case, and their ends."""
    spelled: list[str] = []
    ends: list[int] = []
    while len(spelled) < _MOST_WORDS and (match := _WORD.match(text, start)):
        spelled.append(match[0].lower())
        ends.append(match.end())
        joint = _JOINT.match(text, match.end())
        if not joint:
            break
        start = joint.end()
    return spelled, ends


def _english(spelled: Sequence[str]) -> tuple[int, int] | None:
    """Return the value of the number at the beginning of the spelled, and how many spelled it has."""
    total, count, last_scale = 0, 0, 10**12
    while True:
        start = count + 1 if count and spelled[count : count + 1] == ["and"] else count
        part = _below_thousand(spelled, start)
        if not part:
            break
        value, end = part
        scale = _ENGLISH_SCALES.get(spelled[end]) if end < len(spelled) else None
        if scale and scale < last_scale:
            total, count, last_scale = total + value * scale, end + 1, scale
            continue
        if not count or last_scale < 10**12:
            total, count = total + value, end
        break
    return (total, count) if count else None


def _below_thousand(spelled: Sequence[str], start: int) -> tuple[int, int] | None:
    article = spelled[start : start + 1] == ["a"] and spelled[start + 1 : start + 2]
    if article and (article == ["hundred"] or article[0] in _ENGLISH_SCALES):
        first: tuple[int, int] | None = (1, start + 1)
    else:
        first = _below_hundred(spelled, start)
    if not first or spelled[first[1] : first[1] + 1] != ["hundred"]:
        return first
    value, end = first[0] * 100, first[1] + 1
    rest = _below_hundred(spelled, end + 1 if spelled[end : end + 1] == ["and"] else end)
    return (value + rest[0], rest[1]) if rest else (value, end)


def _below_hundred(spelled: Sequence[str], start: int) -> tuple[int, int] | None:
    word = spelled[start] if start < len(spelled) else ""
    if word in _ENGLISH_UNITS:
        return _ENGLISH_UNITS[word], start + 1
    if word not in _ENGLISH_TENS:
        return None
    unit = _ENGLISH_UNITS.get(spelled[start + 1], 0) if start + 1 < len(spelled) else 0
    return (_ENGLISH_TENS[word] + unit, start + 2) if 0 < unit < 10 else (_ENGLISH_TENS[word], start + 1)


NUMBER_WORDS = frozenset({*_ENGLISH_UNITS, *_ENGLISH_TENS, "a"})
"""Words with which a number in English may begin."""
GERMAN_BEGINNINGS = (*_GERMAN_SMALL, *_GERMAN_TENS, "dreissig", "hundert", "tausend")
"""Letters with which the word of a number in German may begin."""
