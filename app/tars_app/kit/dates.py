# SPDX-License-Identifier: GPL-3.0-or-later
"""Find dates in a text, in English and German. A date is a text in ISO 8601: a day, a month or a year.

`2023-05-04`, `2023-05` and `2023`, so that a date that begins with another one lies within it, and dates sort as texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

EARLIEST_YEAR, LATEST_YEAR = 1900, 2199

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "januar", "jänner", "jan"),
            ("february", "februar", "feb"),
            ("march", "märz", "maerz", "mar", "mär", "mrz"),
            ("april", "apr"),
            ("may", "mai"),
            ("june", "juni", "jun"),
            ("july", "juli", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oktober", "oct", "okt"),
            ("november", "nov"),
            ("december", "dezember", "dec", "dez"),
        ),
        1,
    )
    for name in names
}
"""English and German names of the months, and what they are abbreviated to, in lower case."""

MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
NAMED_MONTH = rf"(?P<name>{MONTH})(?![^\W\d_])\.?"
"""The name of a month as a whole word, also abbreviated."""
_YEAR = r"(?P<year>(?:19|20|21)\d\d)"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d.,/-]){_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])",
        rf"(?<![\d.,/-])(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?(?:\s+of)?\s*\b{NAMED_MONTH},?\s+{_YEAR}(?!\d)",
        rf"\b{NAMED_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}(?!\d)",
        rf"(?<![\d.,/-])(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}(?!\d)",
        rf"(?<![\d.,/-])(?P<first>\d{{1,2}})/(?P<second>\d{{1,2}})/{_YEAR}(?!\d)",
        rf"\b{NAMED_MONTH}\s+{_YEAR}(?!\d)",
        rf"(?<![\d.,/-]){_YEAR}-(?P<month>\d\d)(?![\d-])",
        rf"(?<![\d.,/-])(?P<month>\d{{1,2}})/{_YEAR}(?!\d)",
    )
)
_BARE_YEAR = re.compile(rf"(?<![\w.,/-]){_YEAR}(?![\w/-]|[.,]\d)")


@dataclass(frozen=True)
class DateInText:
    """The date that a text has from character `start` up to `end`."""

    start: int
    end: int
    date: str


def find_dates(text: str, *, years: bool = False) -> list[DateInText]:
    """Return the dates of a text, in order; with `years`, also years that stand alone.

    What no calendar has (30 February), and what two countries read differently (04/05/2023), is left out.
    """
    taken = [False] * len(text)
    dates = []
    for pattern in (*_PATTERNS, *((_BARE_YEAR,) if years else ())):
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            taken[match.start() : match.end()] = [True] * (match.end() - match.start())
            if value := _date(match.groupdict()):
                dates.append(DateInText(match.start(), match.end(), value))
    return sorted(dates, key=lambda entry: entry.start)


def _date(parts: dict[str, str | None]) -> str | None:
    month = MONTHS[name.lower()] if (name := parts.get("name")) else int(parts.get("month") or 0)
    day = int(parts.get("day") or 0)
    if first := parts.get("first"):
        day, month = int(first), int(parts["second"] or 0)
        if day <= 12 and month <= 12 and day != month:
            return None
        if month > 12:
            day, month = month, day
    if any(parts.get(name) is not None and not value for name, value in (("month", month), ("day", day))):
        return None
    return iso_date(int(parts["year"] or 0), month, day)


def iso_date(year: int, month: int = 0, day: int = 0) -> str | None:
    """Return a day, a month (`day` 0) or a year (`month` 0) in ISO 8601, None where no calendar has it."""
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    if not EARLIEST_YEAR <= year <= LATEST_YEAR or (day and not month):
        return None
    return f"{year}" + (f"-{month:02}" if month else "") + (f"-{day:02}" if day else "")


def first_day(value: str) -> date:
    """Return the first day of a date."""
    year, month, day = _parts(value)
    return date(year, month or 1, day or 1)


def last_day(value: str) -> date:
    """Return the last day of a date."""
    year, month, day = _parts(value)
    if day:
        return date(year, month, day)
    begin_of_next = date(year + 1, 1, 1) if month in (0, 12) else date(year, month + 1, 1)
    return date.fromordinal(begin_of_next.toordinal() - 1)


def _parts(value: str) -> tuple[int, int, int]:
    numbers = [int(part) for part in value.split("-")]
    year, month, day = (*numbers, 0, 0)[:3]
    return year, month, day


def dates_of_name(name: str) -> Iterator[str]:
    """Yield the dates of a file's or folder's name (2023-05-04, 20230504, 2023_05, 2023), the most precise first."""
    for match in _NAME_DAY.finditer(name):
        if value := iso_date(int(match["year"]), int(match["month"]), int(match["day"])):
            yield value
    spaced = re.sub(r"_+", " ", name)
    yield from sorted((entry.date for entry in find_dates(spaced)), key=len, reverse=True)
    for match in _NAME_MONTH.finditer(name):
        if value := iso_date(int(match["year"]), int(match["month"])):
            yield value
    yield from (match["year"] for match in _NAME_YEAR.finditer(name))


_NAME_DAY = re.compile(rf"(?<!\d){_YEAR}(?P<mark>[-_. ]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?!\d)")
_NAME_MONTH = re.compile(rf"(?<![\d-]){_YEAR}[-_. ](?P<month>\d\d)(?![\d-])")
_NAME_YEAR = re.compile(rf"(?<!\d){_YEAR}(?!\d)")
