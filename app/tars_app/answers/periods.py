# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute dates and durations: the end of a notice or guarantee, and how long something lasted."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import combinations, pairwise

from tars_app.answers.dates import Date
from tars_app.answers.figures import Figure

_DAY_S = 86_400
_LEAST_S = 86_400
_MOST_ENTRIES = 12
_ENDS = re.compile(
    r"(?<![^\W_])(?:until|till|by|so|therefore|expires?|ends?|ended|runs?|latest|valid|lasts?|bis|zum|endet?e?|läuft"
    r"|spätestens|also|damit|somit|gültig|abgelaufen)(?![^\W_])",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:,|and|und)?\s*")
_ANY_YEAR = 2023
"""In place of the year of a date that comes every year; it is not a leap year."""


def is_computed_date(figure: Figure, entries: Sequence[Figure], sentence: str) -> bool:
    """Return whether a date is a date of a passage and a duration of it together, and the sentence states an end.

    A day more or less is the same: three months before 1 March is the end of November.
    """
    if not figure.dates or not _ENDS.search(sentence):
        return False
    dated = [entry for entry in entries if any(day.month for day in entry.dates)][:_MOST_ENTRIES]
    lasting = [entry for entry in entries if _is_duration(entry)][:_MOST_ENTRIES]
    computed = [
        (result, base)
        for entry in dated
        for base in entry.dates
        if base.month
        for duration in lasting
        if base.day or (duration.unit and duration.unit.dimension == "months")
        for result in _moved(base, duration)
    ]
    return any(_matches(own, result, base) for own in figure.dates for result, base in computed)


def _is_duration(figure: Figure) -> bool:
    unit = figure.unit
    if unit is None or figure.weak or len(figure.values) != 1:
        return False
    return unit.dimension == "months" or (unit.dimension == "time" and _seconds(figure) >= _LEAST_S)


def _seconds(figure: Figure) -> int:
    return int(next(iter(figure.values)) * (figure.unit.factor if figure.unit else 1))


def _moved(base: Date, duration: Figure) -> Iterator[date]:
    """Yield the days that lie a duration before and after a date; its first day where it has none."""
    year, month, day = base.year or _ANY_YEAR, base.month or 1, base.day or 1
    for sign in (1, -1):
        try:
            if duration.unit and duration.unit.dimension == "months":
                months = 12 * year + month - 1 + sign * _seconds(duration)
                new_year, new_month = months // 12, months % 12 + 1
                yield date(new_year, new_month, min(day, monthrange(new_year, new_month)[1]))
            else:
                yield date(year, month, day) + timedelta(seconds=sign * _seconds(duration))
        except (ValueError, OverflowError):
            continue


def _matches(own: Date, result: date, base: Date) -> bool:
    """Return whether the parts that a date has are those of the result, or of the day before or after it."""
    if own.year and not base.year:
        return False
    if own.month is None:
        return own.year == result.year != base.year
    near = [result + timedelta(days=days) for days in (-1, 0, 1)] if base.day else [result]
    return any(
        (own.year is None or own.year == day.year)
        and own.month == day.month
        and (own.day is None or (bool(base.day) and own.day == day.day))
        for day in near
    )


def is_time_between(figure: Figure, entries: Sequence[Figure]) -> bool:
    """Return whether a number of days or weeks is the time between two of these dates; the last day may count."""
    if figure.unit is None or figure.unit.dimension != "time":
        return False
    days = [day for entry in entries[:_MOST_ENTRIES] for own in entry.dates if (day := _full(own, entries))]
    spans = {abs((first - second).days) for first, second in combinations(days, 2) if first != second}
    return any(
        value * figure.unit.factor in {_DAY_S * span, _DAY_S * (span + 1)} for value in figure.values for span in spans
    )


def is_time_of_day_between(figure: Figure, own: Sequence[Figure], stated: Sequence[Figure], sentence: str) -> bool:
    """Return whether "9 hours and 19 minutes" is the time between two times of day that a passage states."""
    if figure.unit is None or figure.unit.dimension != "time":
        return False
    parts = [figure]
    for first, second in pairwise(own):
        if figure in (first, second) and _AND.fullmatch(sentence[first.end : second.start]):
            parts = [part for part in (first, second) if part.unit and part.unit.dimension == "time"]
    if any(len(part.values) != 1 for part in parts):
        return False
    minutes = sum(_seconds(part) for part in parts) / 60
    times = [int(next(iter(other.values))) for other in stated if other.kind == "time" and len(other.values) == 1]
    return minutes in {abs(first - second) for first, second in combinations(times[:_MOST_ENTRIES], 2)} - {0}


def _full(own: Date, entries: Sequence[Figure]) -> date | None:
    """Return a date with its day and month; a year that is missing is the one that another date has."""
    if not (own.month and own.day):
        return None
    year = own.year or next((other.year for entry in entries for other in entry.dates if other.year), _ANY_YEAR)
    try:
        return date(year, own.month, own.day)
    except ValueError:
        return None
