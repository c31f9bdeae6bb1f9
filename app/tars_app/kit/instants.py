# SPDX-License-Identifier: GPL-3.0-or-later
"""Times that people write, as instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from tars_app.kit.dates import first_day, iso_date, last_day


@dataclass(frozen=True)
class TimeRequest:
    """The time that a question is about: the versions at `at` (None: now), or of all times from `since` to `at`.

    `latest`: the latest of the documents that fit about equally are preferred. `interpret`: without any of these, the
    time is the one that the question names.
    """

    at: datetime | None = None
    since: datetime | None = None
    latest: bool = False
    interpret: bool = True


ANY_TIME = TimeRequest()
"""Now, unless the question names a time."""
EXPECTED = "a day (2023-05-04), a month (2023-05), a year (2023), or a time (2023-05-04T18:00)"
_MOST_AHEAD = timedelta(days=1)
"""The day that is today somewhere on Earth may be tomorrow in the household's time zone."""


class WrongTimeError(ValueError):
    """A text is not a time that can be asked for; the message names it and what was expected."""


def years_before(moment: datetime, years: int) -> datetime:
    """Return the same time of the same day so many years earlier; 28 February for a 29 February that is not there."""
    year = moment.year - years
    try:
        return moment.replace(year=year)
    except ValueError:
        return moment.replace(year=year, day=28)


def end_of(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the last moment of a day, month or year in a time zone, or a time as it stands; never after `now`.

    A time without an offset is one of the zone.

    Raises:
        WrongTimeError: it is not a time, or it lies in the future.
    """
    try:
        if day := _date(text):
            moment = _start(last_day(day) + timedelta(days=1), zone) - timedelta(microseconds=1)
            begin = _start(first_day(day), zone)
        else:
            moment = datetime.fromisoformat(text)
            moment = begin = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongTimeError(f"invalid time: found {text!r}, expected {EXPECTED}") from error
    if begin > now + _MOST_AHEAD:
        raise WrongTimeError(f"invalid time: found {text!r}, which lies in the future; expected {EXPECTED} until now")
    return min(moment, now)


def start_of(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the first moment of a day, month or year in a time zone; otherwise as `end_of`."""
    moment = end_of(text, zone, now)
    day = _date(text)
    return min(_start(first_day(day), zone), now) if day else moment


def _date(text: str) -> str | None:
    parts = text.split("-")
    lengths = [len(part) for part in parts]
    if lengths not in ([4], [4, 2], [4, 2, 2]) or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    value = iso_date(*map(int, parts))
    if value != text:
        raise ValueError(text)
    return value


def _start(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
