# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Share.Snapshot and SYNO.DisasterRecovery.Retention: snapshots of shares, their schedule and retention.

A snapshot is a real copy beside the share. Where snapshots are visible, another copy is in its folder #snapshot.
"""

from __future__ import annotations

import datetime
from typing import Any

from tars_lab.dsm_twin import scheduled
from tars_lab.dsm_twin.apis.share import on_btrfs
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NO_SUCH_SHARE = 402
REFUSED = 3300
FIELDS = ("desc", "lock", "schedule_snapshot", "ruuid", "snap_size", "worm_lock")
SCHEDULE = {
    "date_type": int,
    "week_name": str,
    "hour": int,
    "min": int,
    "repeat_hour": int,
    "repeat_min": int,
    "last_work_hour": int,
}
CONF = {"enable_snapshot_browsing": False, "snapshot_local_time_format": False}
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
NO_RETENTION: dict[str, Any] = {
    "tid": -1,
    "policyType": 0,
    "recently": 0,
    "retainDay": 0,
    "advPolicyType": 0,
    **dict.fromkeys(PERIODS, 0),
    **{f"adv{period.title()}": 0 for period in PERIODS},
}


def list_snapshots(call: Call) -> object:
    """Return the snapshots of a share, `limit` of them from `offset` on."""
    share = _share(call)
    additional = call.params.value("additional", list, [])
    offset, limit = call.params.integer("offset", 0), call.params.integer("limit", -1)
    taken = call.nas.state.data["snapshots"].get(share["name"], [])
    chosen = taken[offset:] if limit < 0 else taken[offset : offset + limit]
    fields = [field for field in FIELDS if field in additional]
    rows = [{"time": snapshot["time"]} | {field: snapshot[field] for field in fields} for snapshot in chosen]
    return {"snapshots": rows, "total": len(taken)}


def create(call: Call) -> object:
    """Take a snapshot; its name is the time on the NAS's clock, so there is at most one in a second."""
    share = _share(call)
    wanted = _snapinfo(call, {"desc": "", "lock": False})
    try:
        return scheduled.take(call.nas, share["name"], datetime.datetime.now(), wanted)
    except FileExistsError as error:
        raise DsmError(REFUSED) from error


def set_snapshot(call: Call) -> object:
    """Change description and lock of a snapshot."""
    share = _share(call)
    when = call.params.text("snapshot")
    wanted = _snapinfo(call, {})
    with call.nas.state.change() as data:
        for snapshot in data["snapshots"].get(share["name"], []):
            if snapshot["time"] == when:
                snapshot.update(wanted)
                return None
    raise invalid("snapshot", "condition")


def delete(call: Call) -> object:
    """Delete the named snapshots; return those that could not be deleted."""
    nas, share = call.nas, _share(call)
    names = call.params.value("snapshots", list)
    with nas.state.change() as data:
        taken = data["snapshots"].get(share["name"], [])
        present = {snapshot["time"] for snapshot in taken}
        data["snapshots"][share["name"]] = [snapshot for snapshot in taken if snapshot["time"] not in names]
        for name in present.intersection(names):
            scheduled.remove(nas, share, name)
    return [{"snapshot": name} for name in names if name not in present]


def get_share_conf(call: Call) -> object:
    """Return whether clients see the snapshots of a share, and how these are named."""
    share = _share(call)
    fields = call.params.value("sharesnapinfo", list, list(CONF))
    conf = CONF | call.nas.state.data["browsing"].get(share["name"], {})
    return {field: conf[field] for field in fields if field in conf}


def set_share_conf(call: Call) -> object:
    """Show the snapshots of a share to its clients, or hide them."""
    share = _share(call)
    sent = call.params.value("sharesnapinfo", dict)
    if not sent.keys() <= CONF.keys() or not all(isinstance(value, bool) for value in sent.values()):
        raise invalid("sharesnapinfo", "type")
    with call.nas.state.change() as data:
        data["browsing"][share["name"]] = CONF | data["browsing"].get(share["name"], {}) | sent
        scheduled.show(call.nas, data, share["name"])
    return None


def get_schedule(call: Call) -> object:
    """Return the schedule of a share."""
    share = _share(call)
    return call.nas.state.data["schedules"].get(share["name"], {"task_id": -1, "enable_snapshot_schedule": False})


def set_schedule(call: Call) -> object:
    """Replace the schedule of a share; `task_id` is that of the present one, or -1 if there is none."""
    share = _share(call)
    enable = call.params.flag("enable_snapshot_schedule")
    schedule = call.params.value("schedule", dict)
    if schedule.keys() != SCHEDULE.keys() or any(type(schedule[key]) is not kind for key, kind in SCHEDULE.items()):
        raise invalid("schedule", "type")
    days = schedule["week_name"].split(",")
    if not set(days) <= set("0123456") or not (0 <= schedule["hour"] <= 23 and 0 <= schedule["min"] <= 59):
        raise invalid("schedule", "condition")
    schedule = schedule | {"last_work_hour": max(schedule["last_work_hour"], schedule["hour"])}
    with call.nas.state.change() as data:
        before = data["schedules"].get(share["name"], {"task_id": -1})
        if call.params.integer("task_id") != before["task_id"]:
            raise invalid("task_id", "condition")
        number = before["task_id"] if before["task_id"] > 0 else 1 + len(data["schedules"])
        data["schedules"][share["name"]] = {
            "task_id": number,
            "enable_snapshot_schedule": enable,
            "schedule": schedule,
        }
    return None


def get_retention(call: Call) -> object:
    """Return the retention of a share."""
    share = _retained(call)
    kept = call.nas.state.data["retention"].get(share["name"], NO_RETENTION)
    return kept | {"prefix": "Share#", "schedule": call.nas.state.data["schedules"].get(share["name"], {})}


def set_retention(call: Call) -> object:
    """Replace the retention of a share."""
    share = _retained(call)
    record = {key: call.params.integer(key) for key in NO_RETENTION if key != "tid"}
    if record["policyType"] not in (0, 20, 128) or min(record.values()) < 0:
        raise invalid("policyType", "condition")
    with call.nas.state.change() as data:
        number = data["retention"].get(share["name"], {}).get("tid", 1 + len(data["retention"]))
        data["retention"][share["name"]] = record | {"tid": number}
    return None


def _share(call: Call) -> dict[str, Any]:
    """Return the share `name`. Raises DsmError if its volume does not support snapshots."""
    share: dict[str, Any] | None = call.nas.state.data["shares"].get(call.params.text("name", bare=True))
    if share is None:
        raise DsmError(NO_SUCH_SHARE)
    if not on_btrfs(call.nas, share):
        raise DsmError(REFUSED)
    return dict(share)


def _retained(call: Call) -> dict[str, Any]:
    if call.params.text("type", bare=True) != "Share":
        raise invalid("type", "condition")
    return _share(call)


def _snapinfo(call: Call, defaults: dict[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = call.params.value("snapinfo", dict, {})
    if not isinstance(sent.get("desc", ""), str) or not isinstance(sent.get("lock", False), bool):
        raise invalid("snapinfo", "type")
    if not sent.keys() <= {"desc", "lock"}:
        # Permanent locks exist only from DSM 7.2 on.
        raise invalid("snapinfo", "condition")
    return defaults | sent


APIS = [
    Api(
        "SYNO.Core.Share.Snapshot",
        1,
        2,
        {
            "list": Method(list_snapshots, versions(2)),
            "create": Method(create, versions(1), write=True),
            "set": Method(set_snapshot, versions(1), write=True),
            "delete": Method(delete, versions(1), write=True),
            "get_share_conf": Method(get_share_conf, versions(1)),
            "set_share_conf": Method(set_share_conf, versions(1), write=True),
            "get_schedule": Method(get_schedule, versions(1)),
            "set_schedule": Method(set_schedule, versions(1), write=True),
        },
        busy=3328,
    ),
    Api(
        "SYNO.DisasterRecovery.Retention",
        1,
        1,
        {"get": Method(get_retention, versions(1)), "set": Method(set_retention, versions(1), write=True)},
    ),
]
