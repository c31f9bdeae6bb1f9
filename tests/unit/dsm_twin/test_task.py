# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled tasks: created, replaced, and run by units whose times are compared with those of systemd."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin import tasks

API, ROOT, CONFIRM = "SYNO.Core.TaskScheduler", "SYNO.Core.TaskScheduler.Root", "SYNO.Core.User.PasswordConfirm"
SCHEDULE = {
    "date_type": 0,
    "week_day": "0,1,2,3,4,5,6",
    "repeat_date": 1001,
    "monthly_week": [],
    "hour": 3,
    "minute": 30,
    "repeat_hour": 0,
    "repeat_min": 0,
    "last_work_hour": 0,
    "version": 4,
}
EXTRA = {"script": "date", "notify_enable": False, "notify_mail": "", "notify_if_error": False}
TASK = {
    "name": "nightly",
    "owner": "child",
    "real_owner": "child",
    "enable": True,
    "type": "script",
    "schedule": SCHEDULE,
    "extra": EXTRA,
}
AS_ROOT = TASK | {"owner": "root", "real_owner": "root"}


def jobs(tmp_path: Path) -> dict[str, Any]:
    tasks_by_id: dict[str, Any] = json.loads((tmp_path / "tasks.json").read_text())
    return tasks_by_id


def token(dsm: Any, password: str = "right") -> str:
    return str(dsm.data(CONFIRM, "auth", 2, password=password)["SynoConfirmPWToken"])


def test_a_task_is_created_replaced_run_and_deleted(dsm: Any, tmp_path: Path) -> None:
    assert dsm.data(API, "create", 4, **TASK) == {"id": 1}
    assert jobs(tmp_path)["1"]["calendar"] == ["Sun,Mon,Tue,Wed,Thu,Fri,Sat *-*-* 03:30:00"]
    (row,) = dsm.data(API, "list", 3)["tasks"]
    assert (row["id"], row["name"], row["real_owner"], row["action"]) == (1, "nightly", "child", "Run: date")
    task = dsm.data(API, "get", 4, id=1, real_owner="child")
    assert task["extra"] == EXTRA and task["schedule"]["last_work_hour"] == 3
    assert dsm.data(API, "get", 4, id=1, real_owner="root") == {}, "the answer for another owner is empty"
    assert dsm.data(API, "get", 4, id=-1, type="script")["id"] == -1
    assert dsm.code(API, "set", 4, id=1, **(TASK | {"enable": False})) == 0
    assert jobs(tmp_path)["1"]["calendar"] == []
    assert dsm.data(API, "list", 3)["tasks"][0]["next_trigger_time"] == "N/A"
    entry = {"id": 1, "real_owner": "child"}
    assert dsm.code(API, "set_enable", 2, status=[entry | {"enable": True}]) == 0
    assert dsm.code(API, "run", 2, tasks=[entry]) == 0
    assert json.loads((tmp_path / "ran.json").read_text()) == 1
    assert dsm.code(API, "delete", 2, tasks=[entry | {"real_owner": "root"}]) == 4802
    assert dsm.code(API, "delete", 2, tasks=[entry]) == 0
    assert (jobs(tmp_path), dsm.code(API, "run", 2, tasks=[entry])) == ({}, 4803)


def test_tasks_of_root_require_the_password_for_each_change(dsm: Any, nas: Any) -> None:
    assert dsm.code(API, "create", 4, **AS_ROOT) == 4804
    assert dsm.code(ROOT, "create", 4, **AS_ROOT) == 120
    assert dsm.code(ROOT, "create", 4, SynoConfirmPWToken="guess", **AS_ROOT) == 120
    assert dsm.code(CONFIRM, "auth", 2, password="wrong") == 400
    once = token(dsm)
    assert dsm.code(ROOT, "create", 4, SynoConfirmPWToken=once, **AS_ROOT) == 0
    assert dsm.code(ROOT, "set", 4, id=1, SynoConfirmPWToken=once, **AS_ROOT) == 120
    taken = AS_ROOT | {"owner": "child"}
    assert dsm.code(API, "set", 4, id=1, **taken) == 4804
    assert dsm.code(ROOT, "set", 4, id=1, SynoConfirmPWToken=token(dsm), **taken) == 0
    assert nas.state.data["tasks"]["1"]["real_owner"] == "child"
    assert dsm.code(ROOT, "set", 4, id=1, SynoConfirmPWToken=token(dsm), **TASK) == 4804


@pytest.mark.parametrize(
    ("method", "version", "code"),
    [("list", 4, 103), ("create", 3, 103), ("delete", 3, 103), ("get", 2, 103), ("list", 5, 104)],
)
def test_each_method_has_its_versions(dsm: Any, method: str, version: int, code: int) -> None:
    assert dsm.code(API, method, version) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": ""}, 4804),
        ({"owner": "nobody", "real_owner": "nobody"}, 4804),
        ({"real_owner": "tars-admin"}, 4804),
        ({"type": "beep"}, 4804),
        ({"enable": "yes"}, 120),
        ({"extra": EXTRA | {"script": " "}}, 4804),
        ({"extra": {"script": "date"}}, 120),
        ({"extra": EXTRA | {"notify_enable": True}}, 4804),
        ({"schedule": SCHEDULE | {"hour": 24}}, 4804),
        ({"schedule": SCHEDULE | {"hour": "3"}}, 120),
        ({"schedule": SCHEDULE | {"repeat_min": 7}}, 4804),
        ({"schedule": SCHEDULE | {"repeat_min": 5, "repeat_hour": 1}}, 4804),
        ({"schedule": SCHEDULE | {"week_day": "7"}}, 4804),
        ({"schedule": SCHEDULE | {"repeat_date": 1003}}, 4804),
        ({"schedule": SCHEDULE | {"monthly_week": ["first"]}}, 4804),
        ({"schedule": SCHEDULE | {"date_type": 1, "repeat_date": 0, "date": "2026/2/30"}}, 4804),
        ({"schedule": SCHEDULE | {"days": 3}}, 120),
    ],
)
def test_an_invalid_task_is_rejected_and_not_stored(dsm: Any, nas: Any, change: dict[str, Any], code: int) -> None:
    assert dsm.code(API, "create", 4, **(TASK | change)) == code
    assert nas.state.data["tasks"] == {}


def test_a_page_of_the_list_requires_a_limit_above_zero(dsm: Any) -> None:
    for _ in range(3):
        assert dsm.code(API, "create", 4, **TASK) == 0
    assert [row["id"] for row in dsm.data(API, "list", 3, offset=1, limit=1)["tasks"]] == [2]
    assert dsm.code(API, "list", 3, limit=-1) == 120


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"repeat_hour": 5, "last_work_hour": 20},
        {"repeat_min": 20, "last_work_hour": 9, "minute": 25},
        {"repeat_date": 1002, "week_day": "1,4"},
        {"repeat_date": 1003, "week_day": "0,6", "monthly_week": ["second", "last"]},
        {"repeat_date": 1003, "week_day": "1", "monthly_week": ["fourth"]},
        {"date_type": 1, "repeat_date": 0, "date": "2027/3/9"},
        {"date_type": 1, "repeat_date": 5, "date": "2026/1/31"},
        {"date_type": 1, "repeat_date": 2, "date": "2026/2/28"},
    ],
)
def test_systemd_computes_the_same_next_run(change: dict[str, Any]) -> None:
    systemd_analyze = shutil.which("systemd-analyze")
    assert systemd_analyze is not None
    schedule = SCHEDULE | change
    for when in ("2026-01-31 03:29", "2026-09-20 04:00", "2026-11-24 09:30"):
        now = datetime.datetime.fromisoformat(when)
        command = [systemd_analyze, "calendar", f"--base-time={now} UTC", *tasks.calendar(schedule)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC"}).stdout
        due = [
            line.split(maxsplit=3)[3] for line in lines.splitlines() if "Next elapse: " in line and "never" not in line
        ]
        first = min((datetime.datetime.strptime(time, "%Y-%m-%d %H:%M:%S UTC") for time in due), default=None)
        assert tasks.next_run(schedule, now) == first
