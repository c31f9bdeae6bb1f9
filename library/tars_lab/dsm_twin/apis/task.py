# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.TaskScheduler and its Root: scheduled scripts, each run by a systemd timer of the machine.

Every method has its own versions. Bare text is accepted as well as JSON, and GET as well as POST: working clients are
known to send both.
"""

from __future__ import annotations

import datetime
from typing import Any

from tars_lab.dsm_twin import tasks
from tars_lab.dsm_twin.apis import confirm
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, Params, invalid, versions

FAILED, CANNOT_LOAD, CANNOT_DELETE, CANNOT_RUN, CANNOT_SAVE = range(4800, 4805)
ROOT = "root"
SCRIPT = "script"
TIMES: dict[str, range] = {
    "hour": range(24),
    "minute": range(60),
    "repeat_hour": range(24),
    "repeat_min": range(60),
    "last_work_hour": range(24),
}
REPEATED_MINUTES = (0, 1, 5, 10, 15, 20, 30)
NOTICE: dict[str, tuple[type, Any]] = {
    "notify_enable": (bool, False),
    "notify_mail": (str, ""),
    "notify_if_error": (bool, False),
}
STORE = {"repeat_hour_store_config": list(range(1, 24)), "repeat_min_store_config": list(REPEATED_MINUTES[1:])}
TEMPLATE: dict[str, Any] = {
    "id": -1,
    "name": "",
    "owner": "",
    "real_owner": "",
    "enable": True,
    "type": SCRIPT,
    "schedule": {
        "date_type": 0,
        "week_day": "0,1,2,3,4,5,6",
        "date": "",
        "repeat_date": tasks.DAILY,
        "monthly_week": [],
        **dict.fromkeys(TIMES, 0),
        "version": 4,
    },
    "extra": {"script": "", **{key: default for key, (_, default) in NOTICE.items()}},
}


def list_tasks(call: Call) -> object:
    """Return all tasks, or `limit` of them from `offset` on. A limit below 1 was never observed and is rejected."""
    offset, limit = call.params.integer("offset", 0), call.params.integer("limit", None)
    known = _known(call)
    rows = [_row(known[identity]) for identity in sorted(known, key=int)]
    if limit is not None and limit < 1:
        raise invalid("limit", "condition")
    return {"tasks": rows[offset : None if limit is None else offset + limit], "total": len(rows), "offset": offset}


def _row(task: dict[str, Any]) -> dict[str, Any]:
    due = tasks.next_run(task["schedule"], datetime.datetime.now()) if task["enable"] else None
    return {
        **{key: task[key] for key in ("id", "name", "owner", "real_owner", "enable", "type")},
        "action": f"Run: {task['extra']['script']}",
        "can_delete": True,
        "can_edit": True,
        "can_run": True,
        "next_trigger_time": f"{due:%Y-%m-%d %H:%M}" if due else "N/A",
    }


def get_task(call: Call) -> object:
    """Return one task, or with the id -1 the template of a new one; {} if the owner is another one."""
    identity = call.params.integer("id")
    if identity == -1:
        if call.params.text("type", bare=True) != SCRIPT:
            raise DsmError(CANNOT_LOAD)
        return TEMPLATE
    task = _known(call).get(str(identity))
    if task is None or call.params.text("real_owner", task["real_owner"], bare=True) != task["real_owner"]:
        return {}
    return {**task, "schedule": {**task["schedule"], **STORE}, "can_edit_name": True, "can_edit_owner": True}


def create(call: Call) -> object:
    """Create a task that does not run as root."""
    return _create(call, False)


def create_as_root(call: Call) -> object:
    """Create a task that runs as root."""
    return _create(call, True)


def _create(call: Call, as_root: bool) -> object:
    if call.params.text("type", bare=True) != SCRIPT:
        # Only DSM's own pages create tasks of other types; this NAS does not support them.
        raise DsmError(CANNOT_SAVE)
    task = _task(call)
    if task["real_owner"] != task["owner"]:
        raise DsmError(CANNOT_SAVE)
    _authorise(call, as_root, task["owner"])
    with call.nas.state.change() as data:
        identity = data["next_task"]
        data["next_task"] += 1
        data["tasks"][str(identity)] = {"id": identity, **task}
        call.nas.write_tasks(data)
    return {"id": identity}


def set_task(call: Call) -> object:
    """Replace a task that does not run as root."""
    return _set(call, False)


def set_as_root(call: Call) -> object:
    """Replace a task that runs, or will run, as root."""
    return _set(call, True)


def _set(call: Call, as_root: bool) -> object:
    """Replace the task with this id and `real_owner`; nothing of the previous one is kept."""
    identity = str(call.params.integer("id"))
    before = _known(call).get(identity)
    task = _task(call)
    if before is None or before["real_owner"] != task["real_owner"]:
        raise DsmError(CANNOT_SAVE)
    _authorise(call, as_root, task["owner"], before["owner"])
    with call.nas.state.change() as data:
        data["tasks"][identity] = {**task, "id": before["id"], "real_owner": task["owner"]}
        call.nas.write_tasks(data)
    return None


def set_enable(call: Call) -> object:
    """Enable or disable tasks."""
    chosen = _chosen(call, "status", CANNOT_SAVE)
    with call.nas.state.change() as data:
        for identity, entry in chosen:
            if not isinstance(entry.get("enable"), bool):
                raise invalid("status", "type")
            data["tasks"][identity]["enable"] = entry["enable"]
        call.nas.write_tasks(data)
    return None


def run(call: Call) -> object:
    """Start tasks now."""
    for identity, _ in _chosen(call, "tasks", CANNOT_RUN):
        call.nas.effects.run_task(int(identity))
    return None


def delete(call: Call) -> object:
    """Delete tasks."""
    chosen = _chosen(call, "tasks", CANNOT_DELETE)
    with call.nas.state.change() as data:
        for identity, _ in chosen:
            data["tasks"].pop(identity, None)
        call.nas.write_tasks(data)
    return None


def _chosen(call: Call, name: str, refusal: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the ids in a list of `{id, real_owner}`, each with its entry. Raises DsmError for an unknown task."""
    chosen = []
    for entry in call.params.value(name, list):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise invalid(name, "type")
        task = _known(call).get(str(entry["id"]))
        if task is None or task["real_owner"] != entry.get("real_owner"):
            raise DsmError(refusal)
        chosen.append((str(entry["id"]), entry))
    return chosen


def _known(call: Call) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = call.nas.state.data["tasks"]
    return known


def _authorise(call: Call, as_root: bool, *owners: str) -> None:
    """Raise DsmError unless tasks of root are changed through Root with a confirmed password, and others are not."""
    if as_root != (ROOT in owners):
        raise DsmError(CANNOT_SAVE)
    if as_root:
        confirm.consume_token(call)


def _task(call: Call) -> dict[str, Any]:
    params = call.params
    owner, name = params.text("owner", bare=True), params.text("name", bare=True)
    if not name or len(name.splitlines()) != 1 or not _may_own(call.nas, owner):
        raise DsmError(CANNOT_SAVE)
    return {
        "name": name,
        "owner": owner,
        "real_owner": params.text("real_owner", bare=True),
        "enable": params.flag("enable"),
        "type": SCRIPT,
        "schedule": _schedule(params),
        "extra": _extra(params),
    }


def _may_own(nas: Nas, owner: str) -> bool:
    return owner == ROOT or owner in nas.state.data["users"]


def _extra(params: Params) -> dict[str, Any]:
    extra = params.value("extra", dict)
    kinds = {"script": (str, None), **NOTICE}
    if extra.keys() != kinds.keys() or any(type(extra[key]) is not kind for key, (kind, _) in kinds.items()):
        raise invalid("extra", "type")
    if not extra["script"].strip() or (extra["notify_enable"] and not extra["notify_mail"]):
        raise DsmError(CANNOT_SAVE)
    return dict(extra)


def _schedule(params: Params) -> dict[str, Any]:
    """Return the schedule as it is stored. Its weeks of a month can be a list, or a list in JSON text."""
    sent = params.value("schedule", dict)
    if not sent.keys() <= {*TEMPLATE["schedule"], *STORE}:
        raise invalid("schedule", "condition")
    numbers = {key: sent.get(key) for key in ("date_type", "repeat_date", *TIMES)}
    if any(type(number) is not int for number in numbers.values()):
        raise invalid("schedule", "type")
    weeks = sent.get("monthly_week", [])
    if isinstance(weeks, str):
        weeks = Params({"weeks": weeks}).value("weeks", list)
    schedule = {**numbers, "monthly_week": weeks, "version": 4}
    schedule |= {"week_day": sent.get("week_day", ""), "date": sent.get("date", "")}
    if not _is_valid(schedule):
        raise DsmError(CANNOT_SAVE)
    schedule["last_work_hour"] = max(schedule["last_work_hour"], schedule["hour"])
    return schedule


def _is_valid(schedule: dict[str, Any]) -> bool:
    if any(schedule[key] not in allowed for key, allowed in TIMES.items()):
        return False
    if schedule["repeat_min"] not in REPEATED_MINUTES or (schedule["repeat_hour"] and schedule["repeat_min"]):
        return False
    if schedule["date_type"] == 1:
        try:
            tasks.start(schedule)
        except (TypeError, ValueError):
            return False
        return schedule["repeat_date"] in tasks.MONTHS_BETWEEN
    if schedule["date_type"] != 0 or schedule["repeat_date"] not in (tasks.DAILY, tasks.WEEKLY, tasks.MONTHLY):
        return False
    days, weeks = schedule["week_day"], schedule["monthly_week"]
    if not isinstance(days, str) or not set(days.split(",")) <= set("0123456"):
        return False
    return (
        isinstance(weeks, list)
        and set(weeks) <= set(tasks.WEEKS)
        and bool(weeks) == (schedule["repeat_date"] == tasks.MONTHLY)
    )


def _write(run: Any, version: int) -> Method:
    return Method(run, versions(version), write=True, get=True)


APIS = [
    Api(
        "SYNO.Core.TaskScheduler",
        1,
        4,
        {
            "list": Method(list_tasks, versions(3)),
            "get": Method(get_task, versions(3, 4)),
            "create": _write(create, 4),
            "set": _write(set_task, 4),
            "set_enable": _write(set_enable, 2),
            "run": _write(run, 2),
            "delete": _write(delete, 2),
        },
    ),
    Api(
        "SYNO.Core.TaskScheduler.Root",
        1,
        4,
        {"create": _write(create_as_root, 4), "set": _write(set_as_root, 4)},
    ),
]
