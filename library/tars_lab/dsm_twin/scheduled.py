# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled snapshots: when one is due, how it is taken, and which ones the retention keeps."""

from __future__ import annotations

import datetime
import logging
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from tars_lab.dsm_twin import tasks
from tars_lab.dsm_twin.nas import Nas, folder, snapshots, visible_snapshots

log = logging.getLogger(__name__)

POLL_S = 5.0
"""Seconds between two checks of the schedules."""

PERIODS = {"Hourly": "%Y %j %H", "Daily": "%Y %j", "Weekly": "%G %V", "Monthly": "%Y %m", "Yearly": "%Y"}
"""Format of the time that snapshots of the same period share, by the suffix of the period's key in the retention."""

OFFSET = len("GMT+01-")


def watch(nas: Nas) -> NoReturn:
    """Take due snapshots while the NAS runs. Those that were due while it was off are not taken later."""
    since = datetime.datetime.now()
    while True:
        time.sleep(POLL_S)
        now = datetime.datetime.now()
        try:
            take_due(nas, since, now)
        except OSError:
            log.exception("a scheduled snapshot was not taken")
        since = now


def take_due(nas: Nas, since: datetime.datetime, now: datetime.datetime) -> None:
    """Take the snapshots that became due after `since`, and delete older ones that the retention does not keep."""
    for name, schedule in sorted(nas.state.data["schedules"].items()):
        if name in nas.state.data["shares"] and due(schedule, since, now):
            with nas.writing:
                take(nas, name, now, {"desc": "", "lock": False, "schedule_snapshot": True})
                prune(nas, name)


def due(schedule: Mapping[str, Any], since: datetime.datetime, now: datetime.datetime) -> bool:
    """Return whether a schedule of `set_schedule` has a run after `since` and up to `now`."""
    if not schedule["enable_snapshot_schedule"]:
        return False
    timing = schedule["schedule"]
    daily = {"date_type": 0, "repeat_date": tasks.DAILY, "week_day": timing["week_name"], "minute": timing["min"]}
    when = tasks.next_run({**timing, **daily}, since)
    return when is not None and when <= now


def take(nas: Nas, share: str, at: datetime.datetime, row: Mapping[str, Any]) -> str:
    """Copy the share and record the snapshot with the fields of `row`; return its name.

    Raises FileExistsError if there is a snapshot of the same second.
    """
    when = snapshot_name(at)
    with nas.state.change() as data:
        taken = data["snapshots"].setdefault(share, [])
        if when in [snapshot["time"] for snapshot in taken]:
            raise FileExistsError(when)
        fixed = {"time": when, "ruuid": str(uuid.uuid4()), "snap_size": "0", "worm_lock": False}
        taken.append({**fixed, "schedule_snapshot": False, **row})
        nas.effects.copy_folder(folder(data["shares"][share]), f"{snapshots(data['shares'][share])}/{when}")
        show(nas, data, share)
    return when


def show(nas: Nas, data: Mapping[str, Any], name: str) -> None:
    """Show the snapshots of a share in it, or hide them, as the state document `data` has it."""
    share, view = data["shares"][name], visible_snapshots(data["shares"][name])
    if not data["browsing"].get(name, {}).get("enable_snapshot_browsing"):
        nas.effects.delete_folder(view)
        return
    for snapshot in data["snapshots"].get(name, []):
        if not nas.effects.exists(f"{view}/{snapshot['time']}"):
            nas.effects.show_folder(f"{snapshots(share)}/{snapshot['time']}", f"{view}/{snapshot['time']}")


def remove(nas: Nas, share: dict[str, Any], name: str) -> None:
    """Delete a snapshot, also where clients see it."""
    nas.effects.delete_folder(f"{visible_snapshots(share)}/{name}")
    nas.effects.delete_folder(f"{snapshots(share)}/{name}")


def prune(nas: Nas, share: str) -> None:
    """Delete snapshots that the retention does not keep. Assumed: locked ones stay and do not count."""
    record = nas.state.data["retention"].get(share)
    if record is None or record["policyType"] == 0:
        return
    with nas.state.change() as data:
        taken = data["snapshots"][share]
        keep = retained([snapshot["time"] for snapshot in taken if not snapshot["lock"]], record)
        deleted = [snapshot for snapshot in taken if not snapshot["lock"] and snapshot["time"] not in keep]
        data["snapshots"][share] = [snapshot for snapshot in taken if snapshot not in deleted]
        for snapshot in deleted:
            remove(nas, data["shares"][share], snapshot["time"])


def retained(names: Collection[str], record: Mapping[str, Any]) -> set[str]:
    """Return the names that the retention keeps: the `recently` newest, and the newest of each recent hour, day, …."""
    newest_first = sorted(names, key=snapshot_time, reverse=True)
    keep = set(newest_first[: record["recently"]])
    for period, same in PERIODS.items():
        first: dict[str, str] = {}
        for name in newest_first:
            first.setdefault(f"{snapshot_time(name):{same}}", name)
        keep |= set(list(first.values())[: record[f"adv{period}"]])
    return keep


def snapshot_name(at: datetime.datetime) -> str:
    """Return the name of a snapshot: the offset of the NAS's clock from UTC, and the local time to the second."""
    seconds = int((at.astimezone().utcoffset() or datetime.timedelta()).total_seconds())
    return f"GMT{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}-{at:%Y.%m.%d-%H.%M.%S}"


def snapshot_time(name: str) -> datetime.datetime:
    """Return the local time in a snapshot's name."""
    return datetime.datetime.strptime(name[OFFSET:], "%Y.%m.%d-%H.%M.%S")
