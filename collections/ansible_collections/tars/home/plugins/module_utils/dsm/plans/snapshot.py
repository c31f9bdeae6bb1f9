# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which shares get another snapshot schedule, retention or visibility. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, integer
from .timing import WEEK, Timing, from_options
from .timing import from_api as timing_from_api

# DSM stores other intervals but never runs them.
EVERY_HOURS = (1, 2, 3, 4, 6, 8, 12)
EVERY_MINUTES = (5, 15, 30)
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
_KEEP_NEWEST, _KEEP_BY_PERIOD = 20, 128
CONF = ("enable_snapshot_browsing", "snapshot_local_time_format")
"""Settings of a share's snapshots: whether clients see them in its folder #snapshot, and how they are named."""


@dataclass(frozen=True)
class Schedule(Timing):
    """When snapshots are taken."""

    enabled: bool = False


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
    """A share's schedule and retention, with DSM's own numbers and whole records behind them.

    `visible` states whether clients see the snapshots in the share, None where that was not read.
    """

    schedule: Schedule = Schedule()
    retention: Retention = Retention()
    visible: bool | None = None
    task: int = field(default=-1, compare=False)
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    conf: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Nas:
    """`file_systems` maps each share to "btrfs" or "ext4"; `snapshots` holds the btrfs shares that were read."""

    file_systems: Mapping[str, str]
    snapshots: Mapping[str, Snapshots]


@dataclass(frozen=True)
class Change:
    """A new schedule, retention or visibility of one share, the others None."""

    share: str
    before: Snapshots
    schedule: Schedule | None = None
    retention: Retention | None = None
    visible: bool | None = None

    def __str__(self) -> str:
        if self.visible is not None:
            return f"{'show' if self.visible else 'hide'} the snapshots of share {self.share} in its folder #snapshot"
        if self.schedule is not None:
            return f"schedule snapshots of share {self.share}: {_words(self.schedule)}"
        kept = [f"{value} {name}" for name, value in dataclasses.asdict(self.retention or Retention()).items() if value]
        return f"keep snapshots of share {self.share}: {', '.join(kept) or 'all'}"


def _words(schedule: Schedule) -> str:
    if not schedule.enabled:
        return "off"
    return schedule.words("daily" if schedule.weekdays == WEEK else schedule.listed_weekdays)


def from_api(
    schedule: Mapping[str, Any], retention: Mapping[str, Any], conf: Mapping[str, Any] | None = None
) -> Snapshots:
    """Return the settings of answers of Share.Snapshot get_schedule and get_share_conf, and of Retention get."""
    timing = timing_from_api(schedule.get("schedule") or {}, "week_name", "min")
    when = Schedule(**timing, enabled=boolean(schedule.get("enable_snapshot_schedule")))
    policy = integer(retention.get("policyType"))
    kept = Retention()
    if policy == _KEEP_NEWEST:
        kept = Retention(newest=integer(retention.get("recently")))
    elif policy == _KEEP_BY_PERIOD:
        kept = Retention(**{period: integer(retention.get(f"adv{period.title()}")) for period in PERIODS})
    visible = None if conf is None else boolean(conf.get(CONF[0]))
    return Snapshots(when, kept, visible, integer(schedule.get("task_id", -1)), retention, conf or {})


def to_schedule(change: Change) -> dict[str, Any]:
    """Return the parameters of set_schedule; task -1 creates a schedule."""
    schedule = change.schedule or change.before.schedule
    return {
        "name": change.share,
        "task_id": change.before.task,
        "enable_snapshot_schedule": schedule.enabled,
        "schedule": schedule.to_api("week_name", "min"),
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


def to_conf(change: Change) -> dict[str, Any]:
    """Return the parameters of set_share_conf; the format of the names is sent back unchanged."""
    kept = {key: boolean(value) for key, value in change.before.conf.items() if key in CONF}
    return {"name": change.share, "sharesnapinfo": {**kept, CONF[0]: bool(change.visible)}}


def to_dict(nas: Nas) -> dict[str, Any]:
    """Return schedule, retention and, where it was read, visibility by share as plain data, for diffs and results."""
    return {
        share: {
            "schedule": {**dataclasses.asdict(snapshots.schedule), "weekdays": list(snapshots.schedule.weekdays)},
            "retention": dataclasses.asdict(snapshots.retention),
            **({} if snapshots.visible is None else {"visible": snapshots.visible}),
        }
        for share, snapshots in sorted(nas.snapshots.items())
    }


def assume_created(current: Nas, desired: Sequence[Mapping[str, Any]]) -> tuple[Nas, list[str]]:
    """Return, for check mode, `current` with the missing shares added on btrfs, and their names."""
    missing = [item["share"] for item in desired if item["share"] not in current.file_systems]
    missing = list(dict.fromkeys(missing))
    file_systems = {**current.file_systems, **dict.fromkeys(missing, "btrfs")}
    new = {item["share"]: Snapshots(visible=_default_visibility(item)) for item in desired if item["share"] in missing}
    assumed = Nas(file_systems, {**current.snapshots, **new})
    return assumed, [f"share {share}" for share in missing]


def plan(current: Nas, desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes that turn `current` into `desired`; a retention is set before the schedule that fills it.

    Each desired item has a `share` and optionally a complete `schedule` and `retention`, in which a value that is
    missing or None is the default, and whether its snapshots are `visible`.

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
            kept = Retention(**{key: value for key, value in item["retention"].items() if value is not None})
            problems += _retention_problems(share, kept)
            if kept != existing.retention:
                changes.append(Change(share, existing, retention=kept))
        if item.get("schedule") is not None:
            when = Schedule(**{"enabled": True, **from_options(item["schedule"])})
            problems += [f"share {share}: {problem}" for problem in _schedule_problems(when)]
            # The settings of a schedule that is off do not matter.
            if when != existing.schedule and (when.enabled or existing.schedule.enabled):
                changes.append(Change(share, existing, schedule=when))
        if item.get("visible") is not None and item["visible"] != existing.visible:
            changes.append(Change(share, existing, visible=item["visible"]))
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Nas, changes: Sequence[Change]) -> Nas:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    after = dict(current.snapshots)
    for change in changes:
        before = after[change.share]
        after[change.share] = dataclasses.replace(
            before,
            schedule=change.schedule or before.schedule,
            retention=change.retention or before.retention,
            visible=before.visible if change.visible is None else change.visible,
        )
    return Nas(current.file_systems, after)


def _default_visibility(item: Mapping[str, Any]) -> bool | None:
    """Return the visibility of a new share's snapshots, None where it is not managed."""
    return None if item.get("visible") is None else False


def _schedule_problems(schedule: Schedule) -> list[str]:
    problems = schedule.problems()
    for name, allowed in (("every_hours", EVERY_HOURS), ("every_minutes", EVERY_MINUTES)):
        value = getattr(schedule, name)
        if value and value not in allowed:
            choices = ", ".join(map(str, allowed))
            problems.append(f"DSM stores {name} {value} but never runs it. Use one of {choices}.")
    if schedule.every_minutes and schedule.minute:
        problems.append(f"every_minutes needs minute 0, found {schedule.minute}. Set minute: 0.")
    return problems


def _retention_problems(share: str, kept: Retention) -> list[str]:
    values = dataclasses.asdict(kept)
    problems = []
    if min(values.values()) < 0:
        problems.append(f"share {share}: invalid retention {min(values.values())}: expected 0 or more.")
    if kept.newest and any(values[period] for period in PERIODS):
        problems.append(f"share {share}: newest and a number by period exclude each other. Remove one.")
    return problems
