# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which backups stay, by the calendar of the household's time zone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

FUTURE = "dated in the future"

_PERIODS: Mapping[str, Callable[[datetime], Hashable]] = {
    # With the offset, so that the two hours 02:00 of an autumn change of the clocks are two periods.
    "hourly": lambda local: (local.date(), local.hour, local.utcoffset()),
    "daily": lambda local: local.date(),
    "weekly": lambda local: tuple(local.isocalendar())[:2],
    "monthly": lambda local: (local.year, local.month),
    "yearly": lambda local: local.year,
}


@dataclass(frozen=True)
class Plan:
    """The ids that stay with the reasons, and the ids to remove; both oldest first."""

    keep: Mapping[str, tuple[str, ...]]
    remove: tuple[str, ...]


def plan(instants: Mapping[str, datetime], rules: Mapping[str, int], zone: tzinfo, now: datetime) -> Plan:
    """Return which backups stay: for each rule, the newest backup of each of the last N periods that have one.

    Periods without a backup do not count, so failed runs and a clock that was wrong for some time remove nothing early.
    Backups dated later than `now` stay and use up no period. All instants are aware.
    """
    order = sorted(instants, key=lambda name: (instants[name], name))
    past = [name for name in order if instants[name] <= now]
    reasons: dict[str, list[str]] = {name: [FUTURE] for name in order if instants[name] > now}
    last = rules.get("last", 0)
    for name in past[-last:] if last else ():
        reasons[name] = ["last"]
    for rule, period in _PERIODS.items():
        newest: dict[Hashable, str] = {}
        for name in reversed(past):
            if len(newest) == rules.get(rule, 0):
                break
            newest.setdefault(period(instants[name].astimezone(zone)), name)
        for name in newest.values():
            reasons.setdefault(name, []).append(rule)
    keep = {name: tuple(reasons[name]) for name in order if name in reasons}
    return Plan(keep, tuple(name for name in order if name not in keep))
