# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots by the clock: when one is due, how it is taken, and which of them stay."""

from __future__ import annotations

import datetime
import logging
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from tars_lab.dsm_twin import tasks
from tars_lab.dsm_twin.nas import Nas, folder, snapshots

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Seconds between two looks at the clock."""

PERIODS = {"Hourly": "%Y %j %H", "Daily": "%Y %j", "Weekly": "%G %V", "Monthly": "%Y %m", "Yearly": "%Y"}
"""What two snapshots of the same period have in common, by the last part of its name in the retention's record."""

OFFSET = len("GMT+01-")


def watch(nas: Nas) -> NoReturn:
    """Take what falls due, for as long as the NAS runs. What fell due while it was off is not made up for."""
    since = datetime.datetime.now()
    while True:
        time.sleep(LOOK_S)
        now = datetime.datetime.now()
        try:
            take_due(nas, since, now)
        except OSError:
            log.exception("a scheduled snapshot was not taken")
        since = now


def take_due(nas: Nas, since: datetime.datetime, now: datetime.datetime) -> None:
    """Take the snapshots that fell due after `since`, and drop the older ones that the retention does not keep."""
    for name, schedule in sorted(nas.state.data["schedules"].items()):
        if name in nas.state.data["shares"] and due(schedule, since, now):
            with nas.writing:
                take(nas, name, now, {"desc": "", "lock": False, "schedule_snapshot": True})
                prune(nas, name)


def due(schedule: Mapping[str, Any], since: datetime.datetime, now: datetime.datetime) -> bool:
    """Whether a record of `set_schedule` names a time after `since` and up to `now`."""
    if not schedule["enable_snapshot_schedule"]:
        return False
    timing = schedule["schedule"]
    daily = {"date_type": 0, "repeat_date": tasks.DAILY, "week_day": timing["week_name"], "minute": timing["min"]}
    when = tasks.next_run({**timing, **daily}, since)
    return when is not None and when <= now


def take(nas: Nas, share: str, at: datetime.datetime, row: Mapping[str, Any]) -> str:
    """Copy the share and note it with the fields of `row`; FileExistsError where this second has one."""
    when = named(at)
    with nas.state.change() as data:
        taken = data["snapshots"].setdefault(share, [])
        if when in [each["time"] for each in taken]:
            raise FileExistsError(when)
        fixed = {"time": when, "ruuid": str(uuid.uuid4()), "snap_size": "0", "worm_lock": False}
        taken.append({**fixed, "schedule_snapshot": False, **row})
        nas.effects.copy_folder(folder(data["shares"][share]), f"{snapshots(data['shares'][share])}/{when}")
    return when


def prune(nas: Nas, share: str) -> None:
    """Delete what the retention does not keep. Locked ones stay and do not count, which is assumed."""
    record = nas.state.data["retention"].get(share)
    if record is None or record["policyType"] == 0:
        return
    with nas.state.change() as data:
        taken = data["snapshots"][share]
        stay = kept([each["time"] for each in taken if not each["lock"]], record)
        gone = [each for each in taken if not each["lock"] and each["time"] not in stay]
        data["snapshots"][share] = [each for each in taken if each not in gone]
        for each in gone:
            nas.effects.delete_folder(f"{snapshots(data['shares'][share])}/{each['time']}")


def kept(names: Collection[str], record: Mapping[str, Any]) -> set[str]:
    """Those of `names` that stay: the newest `recently`, and the newest of each of so many hours, days and so on."""
    newest_first = sorted(names, key=when_of, reverse=True)
    stay = set(newest_first[: record["recently"]])
    for period, same in PERIODS.items():
        first: dict[str, str] = {}
        for name in newest_first:
            first.setdefault(f"{when_of(name):{same}}", name)
        stay |= set(list(first.values())[: record[f"adv{period}"]])
    return stay


def named(at: datetime.datetime) -> str:
    """The name of a snapshot: its second on the NAS's clock, and how far that is from Greenwich."""
    seconds = int((at.astimezone().utcoffset() or datetime.timedelta()).total_seconds())
    return f"GMT{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}-{at:%Y.%m.%d-%H.%M.%S}"


def when_of(name: str) -> datetime.datetime:
    return datetime.datetime.strptime(name[OFFSET:], "%Y.%m.%d-%H.%M.%S")
