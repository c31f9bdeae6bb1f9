# SPDX-License-Identifier: GPL-3.0-or-later
"""Read dates and times of day, also incomplete ones, in English and German."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from tars_app.kit.dates import MONTH, MONTHS, NAMED_MONTH
from tars_app.kit.numerals import number_word
from tars_app.kit.text import words

_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mondays montag montags mon",
            "tuesday tuesdays dienstag dienstags tue tues",
            "wednesday wednesdays mittwoch mittwochs wed",
            "thursday thursdays donnerstag donnerstags thu thur thurs",
            "friday fridays freitag freitags fri",
            "saturday saturdays samstag samstags sonnabend sat",
            "sunday sundays sonntag sonntags sun",
        )
    )
    for name in words(names)
}
_GERMAN_WEEKDAYS = dict(zip(words("Mo Di Mi Do Fr Sa So"), range(7), strict=True))
DATE_WORDS = frozenset(
    {
        *MONTHS,
        *_WEEKDAYS,
        *map(str.lower, _GERMAN_WEEKDAYS),
        *words("end ende beginning start anfang first ersten erster"),
    }
)
"""Words with which a date may begin."""
_EARLIEST, _LATEST = 1500, 2199


@dataclass(frozen=True)
class Date:
    """The parts of a date that a text has; `weekday` from 0, Monday."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None

    def within(self, other: Date) -> bool:
        """Return whether every part of this date is the same in the other one."""
        if self.weekday is not None and self.weekday != other.day_of_week():
            return False
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(own is None or own == theirs for own, theirs in pairs)

    def day_of_week(self) -> int | None:
        """Return the day of the week, 0 for Monday, if it is written or follows from the date."""
        if self.weekday is None and self.year and self.month and self.day:
            return date(self.year, self.month, self.day).weekday()
        return self.weekday


_YEAR = r"(?P<year>(?:1[5-9]|20|21)\d\d)(?!\d|[.,]\d)"
_DAY = r"(?P<day>\d{1,2})"
_SUFFIX = r"(?:st|nd|rd|th|\.)?"
_NO_NUMBER = r"(?!\w|[.,:]\d|\s?(?:%|€|£|\$))"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)(?![\w/]|[-.,]\d)",
        r"(?P<first>\d{1,2})(?P<mark>[-/.])\s?(?P<second>\d{1,2})(?P=mark)\s?(?P<year>(?:1[5-9]|20|21)\d\d|\d\d)(?![\w/]|[-.,]\d)",
        rf"{_DAY}{_SUFFIX}(?:\s+of)?[\s-]*{NAMED_MONTH}(?:[\s,-]+(?:(?:of|in)\s+)?{_YEAR})?",
        rf"(?P<ordinal>first|ersten|erster)\s+(?:of\s+)?{NAMED_MONTH}(?:,?\s+{_YEAR})?",
        rf"{NAMED_MONTH}\s+{_DAY}(?:st|nd|rd|th)?{_NO_NUMBER}(?:,?\s+{_YEAR})?",
        rf"(?P<edge>end|ende|beginning|start|anfang)\s+(?:of\s+|des\s+)?{NAMED_MONTH}(?:,?\s+{_YEAR})?",
        rf"{NAMED_MONTH}(?:\s+of|,)?\s+{_YEAR}",
        r"(?P<month>0?[1-9]|1[0-2])[/.](?P<year>(?:19|20)\d\d)(?![\w/]|[-.,]\d)",
    )
)
_WEEKDAY = re.compile(rf"(?P<name>{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})(?![^\W_])", re.IGNORECASE)
# "Mo-Fr", "Sa 9:30", but not "So ist es".
_SHORT_WEEKDAY = re.compile(rf"(?P<name>{'|'.join(_GERMAN_WEEKDAYS)})(?=[.:]|\s?[-\u2013\d])")
_AFTER_WEEKDAY = re.compile(r"\.?,?\s+(?:the\s+|dem\s+|den\s+)?(?=\d|[A-Z])", re.IGNORECASE)
# What every date and time of day in digits begins with: most numbers are neither.
_DATE_HINT = re.compile(rf"\d{{1,4}}(?:[-/.]\s?\d|(?:st|nd|rd|th|\.)?(?:\s+of)?[\s-]*(?:{MONTH}))", re.IGNORECASE)
_CLOCK_HINT = re.compile(r"\d{1,2}(?:[:.]\d\d|\s?[apuo])", re.IGNORECASE)
_MONTH_ALONE = re.compile(r"[A-ZÄ][a-zä]{2,}")
_DAY_AND_MONTH = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?!\d)")
_FULL_DAY_AND_MONTH = len("04.11.")
_BEFORE_DAY = re.compile(r"(?:am|vom|zum|ab|seit|den|dem)\s+\Z")
_BEFORE_MAY = re.compile(
    r"(?:in|im|of|by|bis|since|seit|until|every|each|last|next|ab|from|before|after|and|early|late|jeden|jedes|ende|anfang|mid)\s+\Z",
    re.I,
)
_AMBIGUOUS = frozenset({"may", "march", "august"})
_CLOCK = (
    re.compile(r"(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)\s?(?P<half>am|pm|a\.m\.|p\.m\.|uhr)(?![^\W_])", re.I),
    re.compile(r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?!\d|[.,]\d)(?P<half>)"),
    re.compile(r"(?P<hour>[01]?\d|2[0-4])\s?(?P<half>am|pm|a\.m\.|p\.m\.|uhr|o.clock)(?![^\W_])(?P<minute>)", re.I),
)


def date_at(text: str, start: int) -> tuple[tuple[Date, ...], int] | None:
    """Return what the date that begins at `start` may mean, and where it ends; None where none begins.

    A year alone is a number, see `year`.
    """
    if text[start].isdecimal():
        if not _DATE_HINT.match(text, start):
            return None
    elif weekday := _weekday_at(text, start):
        day, end = weekday
        joint = _AFTER_WEEKDAY.match(text, end)
        rest = date_at(text, joint.end()) if joint else None
        if rest and all(date.month and date.day and date.weekday is None for date in rest[0]):
            return tuple(replace(date, weekday=day) for date in rest[0]), rest[1]
        return (Date(weekday=day),), end
    for pattern in _PATTERNS:
        if (match := pattern.match(text, start)) and (dates := tuple(_dates(match.groupdict()))):
            end = match.end() - 1 if match[0].endswith((".", ",")) else match.end()
            return dates, end
    return _short_date(text, start)


def _weekday_at(text: str, start: int) -> tuple[int, int] | None:
    """Return the day of the week that begins at `start`, 0 for Monday, and where it ends."""
    match = _WEEKDAY.match(text, start)
    if match and (len(match[0]) > 5 or match[0].istitle()):
        return _WEEKDAYS[match[0].lower()], match.end()
    short = _SHORT_WEEKDAY.match(text, start)
    return (_GERMAN_WEEKDAYS[short[0]], short.end()) if short else None


def _short_date(text: str, start: int) -> tuple[tuple[Date, ...], int] | None:
    """Return a month without day and year, or a German day and month in digits; both need the words before them."""
    before = text[max(0, start - 12) : start]
    if match := _MONTH_ALONE.match(text, start):
        name = match[0].lower()
        if name in MONTHS and (
            len(name) > 4 or name in ("june", "juni", "july", "juli", "märz") or _BEFORE_MAY.search(before)
        ):
            if name in _AMBIGUOUS and not _BEFORE_MAY.search(before):
                return None
            return (Date(month=MONTHS[name]),), match.end()
        return None
    match = _DAY_AND_MONTH.match(text, start)
    if match and (_BEFORE_DAY.search(before) or len(match[0]) == _FULL_DAY_AND_MONTH):
        dates = tuple(_valid(None, int(match["month"]), int(match["day"])))
        return (dates, match.end()) if dates else None
    return None


def _dates(parts: dict[str, str | None]) -> Iterator[Date]:
    year = _full_year(parts["year"]) if parts.get("year") else None
    if first := parts.get("first"):
        second = int(parts["second"] or 0)
        yield from _valid(year, second, int(first))
        if parts["mark"] == "/" and int(first) != second:
            yield from _valid(year, int(first), second)
        return
    month = MONTHS[name.lower()] if (name := parts.get("name")) else int(parts.get("month") or 0)
    if edge := parts.get("edge"):
        yield Date(year, month)
        yield Date(year, month, monthrange(year or 2023, month)[1] if edge.lower() in ("end", "ende") else 1)
    else:
        yield from _valid(year, month, 1 if parts.get("ordinal") else int(parts.get("day") or 0) or None)


def _valid(year: int | None, month: int, day: int | None) -> Iterator[Date]:
    """Yield the date if a calendar has it; 29 February needs no year."""
    if 1 <= month <= 12 and (day is None or 1 <= day <= monthrange(year or 2024, month)[1]):
        yield Date(year, month, day)


def _full_year(text: str | None) -> int:
    year = int(text or 0)
    return year if year >= 100 else 2000 + year if year < 70 else 1900 + year


def year(digits: str) -> Date | None:
    """Return the year that four digits may be."""
    if len(digits) == 4 and digits.isascii() and digits.isdigit() and _EARLIEST <= int(digits) <= _LATEST:
        return Date(int(digits))
    return None


_SPOKEN_CLOCK = re.compile(
    r"(?:a\s+)?(?P<part>half|quarter)\s+(?P<side>past|to)\s+(?=[a-z\d])|(?P<teil>halb|viertel\s+(?P<seite>vor|nach))\s+(?=\w)",
    re.IGNORECASE,
)
_HOUR = re.compile(r"(?P<digits>\d{1,2})(?!\d)|(?P<word>[^\W\d_]+)")


def spoken_clock_at(text: str, start: int) -> tuple[tuple[int, int], int] | None:
    """Return the two times of day that "half past four" or "halb fünf" may be, in minutes, and where it ends."""
    match = _SPOKEN_CLOCK.match(text, start)
    hour_match = _HOUR.match(text, match.end()) if match else None
    if not match or not hour_match:
        return None
    number = number_word(text, match.end()) if hour_match["word"] else (int(hour_match["digits"]), hour_match.end())
    if number is None or not 1 <= number[0] <= 24:
        return None
    hour, end = number
    if match["part"]:
        minutes = (30 if match["part"].lower() == "half" else 15) * (1 if match["side"].lower() == "past" else -1)
    elif match["teil"].lower() == "halb":
        minutes = -30
    else:
        minutes = 15 if match["seite"].lower() == "nach" else -15
    morning = (hour % 12) * 60 + minutes
    return (morning % 1440, (morning + 720) % 1440), end


def clock_at(text: str, start: int) -> tuple[int, int] | None:
    """Return the time of day that begins at `start`, in minutes after midnight, and where it ends."""
    for pattern in _CLOCK if _CLOCK_HINT.match(text, start) else ():
        if match := pattern.match(text, start):
            hour, half = int(match["hour"]), match["half"].lower().replace(".", "")
            if half in ("am", "pm") and hour <= 12:
                hour = hour % 12 + (12 if half == "pm" else 0)
            return hour * 60 + int(match["minute"] or 0), match.end()
    return None
