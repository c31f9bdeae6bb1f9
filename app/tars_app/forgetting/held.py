# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups hold a document, and when the retention rules remove each (docs/reference/backup.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tars_app.backups.schemas import Status
from tars_app.forgetting.schemas import Backups, HeldBackup

_HOUR_S = 3600
# Of each rule: the number of the period of a local time, and the local time at which the period of a number begins.
_PERIODS: Mapping[str, tuple[Callable[[datetime], int], Callable[[int, tzinfo], datetime]]] = {
    "hourly": (
        lambda local: int(local.timestamp()) // _HOUR_S,
        lambda number, zone: datetime.fromtimestamp(number * _HOUR_S, zone),
    ),
    "daily": (
        lambda local: local.date().toordinal(),
        lambda number, zone: _midnight(date.fromordinal(number), zone),
    ),
    "weekly": (
        lambda local: (local.date().toordinal() - 1) // 7,  # 1 January of the year 1 was a Monday
        lambda number, zone: _midnight(date.fromordinal(7 * number + 1), zone),
    ),
    "monthly": (
        lambda local: 12 * local.year + local.month - 1,
        lambda number, zone: _midnight(date(number // 12, number % 12 + 1, 1), zone),
    ),
    "yearly": (lambda local: local.year, lambda number, zone: _midnight(date(number, 1, 1), zone)),
}


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


def held(status: Status | None, configured: bool, observed: datetime | None, now: datetime) -> Backups:
    """Return the backups that hold a document which was first observed at a time (None: never).

    `status` is what tars-backup wrote, None where it cannot be read; `configured` is whether there are backups.
    """
    if not configured:
        return Backups(state="none")
    if status is None or (status.kept and status.kept.made is None):
        return Backups(state="unknown", copies=sorted(status.copies) if status else [])
    made = sorted(status.kept.made or []) if status.kept else []
    try:
        zone: tzinfo = ZoneInfo(status.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    ends = removals(made, status.retention, zone, now) if status.retention else {}
    holding = [HeldBackup(made=at, until=ends.get(at)) for at in made if observed and at >= observed]
    return Backups(state="known", made=holding, copies=sorted(status.copies))


def removals(
    made: Sequence[datetime], rules: Mapping[str, int], zone: tzinfo, now: datetime
) -> dict[datetime, datetime]:
    """Return when each backup is removed, if there is a newer backup in every period from now on.

    A rule keeps the newest backup of each of the last N periods that have one. Of the present period, a newer one is
    expected; what no rule keeps is removed with the next backups, `now` at the earliest.
    """
    ends = dict.fromkeys(made, now)
    for rule, (number_of, begin_of) in _PERIODS.items():
        newest = {number_of(at.astimezone(zone)): at for at in sorted(made)}
        present = number_of(now.astimezone(zone))
        earlier = sorted((number for number in newest if number < present), reverse=True)
        for position, number in enumerate(earlier):
            left = rules.get(rule, 0) - position - 1
            if left > 0:
                at = newest[number]
                ends[at] = max(ends[at], begin_of(present + left, zone).astimezone(UTC))
    return ends


def until(backups: Backups) -> datetime | None:
    """Return when the last of the backups is removed, None where that is not known or there are none."""
    ends = [backup.until for backup in backups.made]
    return max((end for end in ends if end), default=None) if all(ends) else None


def day_of(moment: datetime) -> str:
    """Return a moment's day for people: 3 May 2027."""
    return f"{moment.day} {moment:%B %Y}"
