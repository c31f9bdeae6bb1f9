# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_task and dsm_package against a NAS that behaves like DSM, with faults. The NAS's own state is what counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

REPORT = {
    "name": "Disk report",
    "owner": "root",
    "script": "smartctl --scan\n",
    "schedule": {"frequency": "monthly", "weekdays": [0], "weeks": ["first"], "hour": 4, "every_minutes": 20},
    "notify_email": "owner@home.arpa",
}
SWEEP = {"name": "Sweep", "script": "rm -f /tmp/x"}
ADD = [
    "create task 'Disk report': on weekdays 0 of the first week at 04:00, every 20 min until 23 h as root",
    "create task 'Sweep': daily at 00:00 as tars-admin",
]


def kept(twin: Twin) -> dict[str, Any]:
    return {task["name"]: task for task in twin.state["tasks"].values()}


def test_check_then_run_then_run_again_then_remove(twin: Twin) -> None:
    desired = {"tasks": [REPORT, SWEEP]}
    planned = twin.run("dsm_task", check=True, **desired)
    assert (planned["changes"], twin.state["tasks"]) == (ADD, {})
    done = twin.run("dsm_task", **desired)
    for key in ("changed", "changes", "diff", "tasks"):
        assert planned[key] == done[key]
    assert twin.count("SYNO.Core.User.PasswordConfirm.auth") == 1, "only what runs as root asks for the password"
    assert (kept(twin)["Disk report"]["owner"], kept(twin)["Sweep"]["owner"]) == ("root", "tars-admin")
    jobs = json.loads((twin.root / "tasks.json").read_text())
    assert jobs["1"]["calendar"] == ["Sun *-*-01..07 04:00/20:00", "Sun *-*-01..07 05..23:00/20:00"]
    second = twin.run("dsm_task", **desired)
    assert (second["changed"], second["diff"]["before"]) == (False, second["diff"]["after"])
    assert twin.calls == ["SYNO.Core.TaskScheduler.list", "SYNO.Entry.Request.request"]
    assert twin.run("dsm_info", gather=["tasks"])["tasks"] == done["tasks"]
    assert twin.calls == ["SYNO.Core.TaskScheduler.list", "SYNO.Entry.Request.request"]

    removed = twin.run("dsm_task", tasks=[{"name": "Disk report", "state": "absent"}])
    assert removed["changes"] == ["delete task 'Disk report'"]
    assert (list(kept(twin)), removed["tasks"]) == (["Sweep"], {})


def test_a_hindered_change_still_succeeds_and_a_success_without_effect_is_reported(twin: Twin) -> None:
    twin.faults.add("drop_after_write", on="SYNO.Core.TaskScheduler.create")
    twin.faults.add("busy_117", on="SYNO.Core.TaskScheduler.Root.create")
    twin.faults.add("expire_session", on="SYNO.Core.TaskScheduler.Root.create")
    assert twin.run("dsm_task", tasks=[REPORT, SWEEP])["changes"] == ADD
    assert twin.faults.listed() == [] and len(twin.state["tasks"]) == 2
    twin.faults.add("silent_noop", on="SYNO.Core.TaskScheduler.set")
    result = twin.run("dsm_task", tasks=[{"name": "Sweep", "enabled": False}])
    assert "reading back shows otherwise. Still to do: set enabled False of task 'Sweep'" in result["msg"]
    healed = twin.run("dsm_task", tasks=[{"name": "Sweep", "enabled": False, "owner": "root"}])
    assert healed["changes"] == ["set owner 'root', enabled False of task 'Sweep'"]
    assert kept(twin)["Sweep"]["extra"]["script"] == SWEEP["script"], "DSM takes tasks whole"
    refused = twin.run("dsm_task", tasks=[{"name": "Sweep", "owner": "stranger"}])
    assert "task 'Sweep': the scheduled task could not be saved (code 4804" in refused["msg"]


def test_two_of_a_name_are_refused_before_the_first_change(twin: Twin) -> None:
    twin.run("dsm_task", tasks=[SWEEP])
    with twin.nas.state.change() as data:
        data["tasks"]["9"] = {**data["tasks"]["1"], "id": 9}
    result = twin.run("dsm_task", tasks=[REPORT, SWEEP])
    assert "the NAS has 2 tasks of that name (numbers 1, 9)" in result["msg"]
    assert len(twin.state["tasks"]) == 2


def test_packages_stop_and_start_and_are_waited_for(twin: Twin) -> None:
    desired = {"packages": [{"name": "SynoFinder", "state": "stopped"}, {"name": "FileStation", "state": "present"}]}
    planned = twin.run("dsm_package", check=True, **desired)
    twin.faults.add("drop_after_write", on="SYNO.Core.Package.Control.stop")
    done = twin.run("dsm_package", **desired)
    for key in ("changed", "changes", "diff", "packages"):
        assert planned[key] == done[key]
    assert (done["changes"], twin.state["packages"]) == (["stop package SynoFinder"], {"SynoFinder": "stop"})
    assert twin.count("SYNO.Core.Package.Control.stop") == 1
    assert twin.run("dsm_package", **desired)["changed"] is False
    shown = twin.run("dsm_info", gather=["packages"])["packages"]
    assert {name: package["running"] for name, package in shown.items()} == {
        "FileStation": True,
        "SMBService": True,
        "SynoFinder": False,
    }
    twin.faults.add("silent_noop", on="SYNO.Core.Package.Control.start")
    result = twin.run("dsm_package", packages=[{"name": "SynoFinder"}], wait=1)
    assert "reading back shows otherwise. Still to do: start package SynoFinder" in result["msg"]
    missing = twin.run("dsm_package", packages=[{"name": "Docker"}])
    assert "package Docker is not installed" in missing["msg"] and "Install it in Package Center" in missing["msg"]


def test_the_reading_twin_of_every_module(twin: Twin) -> None:
    shown = twin.run("dsm_info", gather=["firewall", "certificates"])
    assert shown["firewall"] == {
        "enabled": False,
        "profile": "default",
        "sections": {"global": {"policy": "none", "rules": []}},
    }
    assert shown["certificates"]["shown"] == twin.fingerprint
    assert [row["default"] for row in shown["certificates"]["certificates"]] == [True]
