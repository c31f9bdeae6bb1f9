# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which shares get another snapshot schedule or retention. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, integer, text

WEEK = (0, 1, 2, 3, 4, 5, 6)
# DSM stores other intervals but never runs them.
EVERY_HOURS = (1, 2, 3, 4, 6, 8, 12)
EVERY_MINUTES = (5, 15, 30)
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
_KEEP_NEWEST, _KEEP_BY_PERIOD = 20, 128


@dataclass(frozen=True)
class Schedule:
    """When snapshots are taken: on `weekdays` (0 is Sunday) at hour:minute, and repeated until `last_hour`."""

    enabled: bool = False
    weekdays: tuple[int, ...] = WEEK
    hour: int = 0
    minute: int = 0
    every_hours: int = 0
    every_minutes: int = 0
    last_hour: int = 0


@dataclass(frozen=True)
class Retention:
    """Which snapshots are kept: the `newest` N, or a number for each period; all zero keeps everything."""

    newest: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0


@dataclass(frozen=True)
class Snapshots:
    """A share's schedule and retention, with DSM's own numbers and whole records behind them."""

    schedule: Schedule = Schedule()
    retention: Retention = Retention()
    task: int = field(default=-1, compare=False)
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Nas:
    """`file_systems` maps each share to "btrfs" or "ext4"; `snapshots` holds the btrfs shares that were read."""

    file_systems: Mapping[str, str]
    snapshots: Mapping[str, Snapshots]


@dataclass(frozen=True)
class Change:
    """A new schedule or a new retention of one share, the other None."""

    share: str
    before: Snapshots
    schedule: Schedule | None = None
    retention: Retention | None = None

    def __str__(self) -> str:
        if self.schedule is not None:
            return f"schedule snapshots of share {self.share}: {_words(self.schedule)}"
        kept = [f"{value} {name}" for name, value in dataclasses.asdict(self.retention or Retention()).items() if value]
        return f"keep snapshots of share {self.share}: {', '.join(kept) or 'all'}"


def _words(schedule: Schedule) -> str:
    if not schedule.enabled:
        return "off"
    days = "daily" if schedule.weekdays == WEEK else f"on weekdays {', '.join(str(day) for day in schedule.weekdays)}"
    start = f"{days} at {schedule.hour:02}:{schedule.minute:02}"
    if schedule.every_hours:
        return f"{start}, every {schedule.every_hours} h until {schedule.last_hour} h"
    if schedule.every_minutes:
        return f"{start}, every {schedule.every_minutes} min until {schedule.last_hour} h"
    return start


def from_api(schedule: Mapping[str, Any], retention: Mapping[str, Any]) -> Snapshots:
    """Return the settings of answers of Share.Snapshot get_schedule and DisasterRecovery.Retention get."""
    timing = schedule.get("schedule") or {}
    days = text(timing.get("week_name"))
    when = Schedule(
        enabled=boolean(schedule.get("enable_snapshot_schedule")),
        weekdays=tuple(sorted({int(day) for day in days.split(",")})) if days else WEEK,
        hour=integer(timing.get("hour")),
        minute=integer(timing.get("min")),
        every_hours=integer(timing.get("repeat_hour")),
        every_minutes=integer(timing.get("repeat_min")),
        last_hour=integer(timing.get("last_work_hour")),
    )
    policy = integer(retention.get("policyType"))
    kept = Retention()
    if policy == _KEEP_NEWEST:
        kept = Retention(newest=integer(retention.get("recently")))
    elif policy == _KEEP_BY_PERIOD:
        kept = Retention(**{period: integer(retention.get(f"adv{period.title()}")) for period in PERIODS})
    return Snapshots(when, kept, integer(schedule.get("task_id", -1)), retention)


def to_schedule(change: Change) -> dict[str, Any]:
    """Return the parameters of set_schedule; task -1 creates a schedule."""
    schedule = change.schedule or change.before.schedule
    timing = {
        "date_type": 0,
        "week_name": ",".join(str(day) for day in schedule.weekdays),
        "hour": schedule.hour,
        "min": schedule.minute,
        "repeat_hour": schedule.every_hours,
        "repeat_min": schedule.every_minutes,
        "last_work_hour": schedule.last_hour,
    }
    return {
        "name": change.share,
        "task_id": change.before.task,
        "enable_snapshot_schedule": schedule.enabled,
        "schedule": timing,
    }


def to_retention(change: Change) -> dict[str, Any]:
    """Return the whole record for Retention set; unmanaged values are sent back unchanged."""
    kept = change.retention or change.before.retention
    policy = _KEEP_NEWEST if kept.newest else _KEEP_BY_PERIOD if kept != Retention() else 0
    periods = {f"adv{period.title()}": getattr(kept, period) for period in PERIODS}
    unmanaged = {key: value for key, value in change.before.record.items() if key not in ("tid", "schedule", "prefix")}
    return {
        **unmanaged,
        "type": "Share",
        "name": change.share,
        "policyType": policy,
        "recently": kept.newest,
        **periods,
    }


def to_dict(nas: Nas) -> dict[str, Any]:
    """Return schedule and retention by share as plain data, for diffs and return values."""
    return {
        share: {
            "schedule": {**dataclasses.asdict(snapshots.schedule), "weekdays": list(snapshots.schedule.weekdays)},
            "retention": dataclasses.asdict(snapshots.retention),
        }
        for share, snapshots in sorted(nas.snapshots.items())
    }


def assume_created(current: Nas, desired: Sequence[Mapping[str, Any]]) -> tuple[Nas, list[str]]:
    """Return, for check mode, `current` with the missing shares added on btrfs, and their names."""
    missing = [item["share"] for item in desired if item["share"] not in current.file_systems]
    missing = list(dict.fromkeys(missing))
    file_systems = {**current.file_systems, **dict.fromkeys(missing, "btrfs")}
    assumed = Nas(file_systems, {**current.snapshots, **dict.fromkeys(missing, Snapshots())})
    return assumed, [f"share {share}" for share in missing]


def plan(current: Nas, desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes that turn `current` into `desired`; a retention is set before the schedule that fills it.

    Each desired item has a `share` and optionally a complete `schedule` and `retention`: a value that is missing in
    these or None is the default.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    problems = listed_twice("share", (item["share"] for item in desired))
    changes: list[Change] = []
    for item in distinct(desired, itemgetter("share")):
        share = item["share"]
        file_system = current.file_systems.get(share)
        if file_system is None:
            problems.append(f"share {share} does not exist. Create it with tars.home.dsm_share first.")
            continue
        if file_system != "btrfs":
            problems.append(
                f"share {share}: snapshots need a btrfs volume, found {file_system}. Move the share to a btrfs volume, "
                "or remove it from the list."
            )
            continue
        existing = current.snapshots[share]
        if item.get("retention") is not None:
            kept = Retention(**_given(item["retention"]))
            problems += _retention_problems(share, kept)
            if kept != existing.retention:
                changes.append(Change(share, existing, retention=kept))
        if item.get("schedule") is not None:
            when = _schedule(item["schedule"])
            problems += _schedule_problems(share, when)
            # The settings of a schedule that is off do not matter.
            if when != existing.schedule and (when.enabled or existing.schedule.enabled):
                changes.append(Change(share, existing, schedule=when))
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Nas, changes: Sequence[Change]) -> Nas:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    after = dict(current.snapshots)
    for change in changes:
        before = after[change.share]
        after[change.share] = dataclasses.replace(
            before, schedule=change.schedule or before.schedule, retention=change.retention or before.retention
        )
    return Nas(current.file_systems, after)


def _given(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value is not None}


def _schedule(item: Mapping[str, Any]) -> Schedule:
    given = {"enabled": True, **_given(item)}
    if "weekdays" in given:
        given["weekdays"] = tuple(sorted(set(given["weekdays"])))
    repeated = given.get("every_hours") or given.get("every_minutes")
    # DSM raises an end before the start to the start.
    given["last_hour"] = max(given.get("last_hour", 23), given.get("hour", 0)) if repeated else given.get("hour", 0)
    return Schedule(**given)


def _schedule_problems(share: str, schedule: Schedule) -> list[str]:
    problems = []
    if not schedule.weekdays or not set(schedule.weekdays) <= set(WEEK):
        problems.append(f"share {share}: invalid weekdays {list(schedule.weekdays)}: expected some of 0 (Sunday) to 6.")
    if not (0 <= schedule.hour <= 23 and 0 <= schedule.minute <= 59 and schedule.last_hour <= 23):
        problems.append(
            f"share {share}: invalid schedule {schedule.hour:02}:{schedule.minute:02} until "
            f"{schedule.last_hour}:00: expected "
            "hours of 0 to 23 and minutes of 0 to 59."
        )
    if schedule.every_hours and schedule.every_minutes:
        problems.append(f"share {share}: every_hours and every_minutes exclude each other. Remove one.")
    for name, allowed in (("every_hours", EVERY_HOURS), ("every_minutes", EVERY_MINUTES)):
        value = getattr(schedule, name)
        if value and value not in allowed:
            choices = ", ".join(map(str, allowed))
            problems.append(f"share {share}: DSM stores {name} {value} but never runs it. Use one of {choices}.")
    if schedule.every_minutes and schedule.minute:
        problems.append(f"share {share}: every_minutes needs minute 0, found {schedule.minute}. Set minute: 0.")
    return problems


def _retention_problems(share: str, kept: Retention) -> list[str]:
    values = dataclasses.asdict(kept)
    problems = []
    if min(values.values()) < 0:
        problems.append(f"share {share}: invalid retention {min(values.values())}: expected 0 or more.")
    if kept.newest and any(values[period] for period in PERIODS):
        problems.append(f"share {share}: newest and a number by period exclude each other. Remove one.")
    return problems
