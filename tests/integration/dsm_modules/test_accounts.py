# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, access and snapshots by the modules, verified by the NAS's own state."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

SECRET = "correct horse battery"
BACKUP = {"name": "tars-backup", "password": SECRET, "description": "Backups", "groups": ["writers"]}
ACCOUNTS = {"users": [BACKUP], "groups": [{"name": "writers", "description": "May write"}]}
ACCESS = [{"share": "tars_backup", "exclusive": True, "permissions": [{"user": "tars-backup", "access": "rw"}]}]
SNAPSHOTS = [{"share": "tars_backup", "schedule": {"hour": 5}, "retention": {"daily": 7, "weekly": 4}}]


def run(twin: Twin, module: str, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = twin.run(module, **options)
    assert not result.get("failed"), result
    assert SECRET not in str(result)
    return result


def made(twin: Twin) -> None:
    run(twin, "dsm_share", shares=[{"name": "tars_backup", "volume": "/volume1"}])
    run(twin, "dsm_account", **ACCOUNTS)


def test_accounts_are_made_and_stay(twin: Twin) -> None:
    planned = run(twin, "dsm_account", check=True, **ACCOUNTS)
    assert "tars-backup" not in twin.state["users"]
    first = run(twin, "dsm_account", **ACCOUNTS)
    assert first["changes"] == [
        "create group writers",
        "create user tars-backup",
        "add user tars-backup to group writers",
    ]
    for key in ("changed", "changes", "diff", "users", "groups"):
        assert planned[key] == first[key]
    assert json.loads((twin.root / "principals.json").read_text()) == {
        "users": ["tars-backup"],
        "groups": {"writers": ["tars-backup"]},
    }
    second = run(twin, "dsm_account", **ACCOUNTS)
    assert (second["changed"], second["diff"]["before"]) == (False, second["diff"]["after"])
    assert "guest-user" in twin.state["users"]


def test_a_password_is_set_when_asked_and_allows_the_login(twin: Twin) -> None:
    run(twin, "dsm_account", **ACCOUNTS)
    administrators = {**BACKUP, "password": "another long one", "groups": ["administrators"]}
    run(twin, "dsm_account", users=[administrators])
    assert "wrong (code 400" in twin.run("dsm_info", account="tars-backup", password="another long one")["msg"]
    again = run(twin, "dsm_account", users=[{**administrators, "update_password": "always"}])
    assert again["changes"] == ["set the password of user tars-backup"]
    login = {"account": "tars-backup", "password": "another long one", "session_file": None}
    assert run(twin, "dsm_info", gather=["system"], **login)["system"]["serial"] == "LAB0000001"
    refused = twin.run("dsm_account", users=[{**BACKUP, "password": "short", "update_password": "always"}])
    assert "user tars-backup: the password is too weak for DSM's policy (code 3123" in refused["msg"]
    assert "short" not in refused["msg"]


def test_the_account_that_logs_in_is_not_touched(twin: Twin) -> None:
    before = json.dumps(twin.state["users"])
    result = twin.run("dsm_account", users=[BACKUP, {"name": "tars-admin", "state": "absent"}])
    assert "is the account that this module logs in with, which it never changes" in result["msg"]
    assert json.dumps(twin.state["users"]) == before


def test_wrong_access_is_healed_and_other_shares_are_left(twin: Twin) -> None:
    made(twin)
    run(twin, "dsm_share", shares=[{"name": "other", "volume": "/volume2"}])
    wrong = {"local_user": {"guest-user": "rw", "tars-backup": "ro"}, "local_group": {"users": "rw"}}
    with twin.nas.state.change() as data:
        data["permissions"] = copy.deepcopy({"tars_backup": wrong}) | copy.deepcopy({"other": wrong})
    planned = run(twin, "dsm_permission", check=True, shares=ACCESS)
    healed = run(twin, "dsm_permission", shares=ACCESS)
    assert planned["diff"] == healed["diff"]
    assert healed["changes"] == [
        "set access to share tars_backup: group users unset, user guest-user unset, user tars-backup rw"
    ]
    assert healed["permissions"] == {"tars_backup": {"group administrators": "rw", "user tars-backup": "rw"}}
    assert twin.state["permissions"]["tars_backup"] == {"local_user": {"tars-backup": "rw"}, "local_group": {}}
    assert twin.state["permissions"]["other"] == wrong
    assert run(twin, "dsm_permission", shares=ACCESS)["changed"] is False


def test_a_plan_for_a_bare_nas_reaches_its_end(twin: Twin) -> None:
    assert "share tars_backup does not exist" in twin.run("dsm_permission", shares=ACCESS)["msg"]
    planned = run(twin, "dsm_permission", check=True, shares=ACCESS)
    assert planned["changes"] == ["set access to share tars_backup: user tars-backup rw"]
    assert "user tars-backup does not exist yet" in str(planned["warnings"])
    assert len(run(twin, "dsm_snapshot", check=True, shares=SNAPSHOTS)["changes"]) == 2
    run(twin, "dsm_share", shares=[{"name": "plain", "volume": "/volume2"}])
    refused = twin.run("dsm_snapshot", shares=[{"share": "plain", "schedule": {}}])
    assert "share plain: snapshots need a btrfs volume, found ext4" in refused["msg"]


def test_snapshots_are_scheduled_and_stay(twin: Twin) -> None:
    made(twin)
    planned = run(twin, "dsm_snapshot", check=True, shares=SNAPSHOTS)
    first = run(twin, "dsm_snapshot", shares=SNAPSHOTS)
    assert first["changes"] == [
        "keep snapshots of share tars_backup: 7 daily, 4 weekly",
        "schedule snapshots of share tars_backup: daily at 05:00",
    ]
    assert planned["diff"] == first["diff"]
    assert run(twin, "dsm_snapshot", shares=SNAPSHOTS)["changed"] is False
    with twin.nas.state.change() as data:
        data["retention"]["tars_backup"]["retainDay"] = 3
    changed = run(twin, "dsm_snapshot", shares=[{"share": "tars_backup", "retention": {"newest": 9}}])
    assert changed["changes"] == ["keep snapshots of share tars_backup: 9 newest"]
    assert twin.state["retention"]["tars_backup"]["retainDay"] == 3, "what is not managed stays"
    assert twin.state["schedules"]["tars_backup"]["enable_snapshot_schedule"] is True


def test_snapshots_become_visible_and_hidden_again(twin: Twin) -> None:
    made(twin)
    shown = [{"share": "tars_backup", "visible": True}]
    planned = run(twin, "dsm_snapshot", check=True, shares=shown)
    first = run(twin, "dsm_snapshot", shares=shown)
    assert first["changes"] == ["show the snapshots of share tars_backup in its folder #snapshot"]
    assert planned["diff"] == first["diff"] and first["snapshots"]["tars_backup"]["visible"] is True
    assert run(twin, "dsm_snapshot", shares=shown)["changed"] is False
    with twin.nas.state.change() as data:
        data["browsing"]["tars_backup"]["snapshot_local_time_format"] = True
    hidden = run(twin, "dsm_snapshot", shares=[{"share": "tars_backup", "visible": False}])
    assert hidden["changes"] == ["hide the snapshots of share tars_backup in its folder #snapshot"]
    assert twin.state["browsing"]["tars_backup"] == {
        "enable_snapshot_browsing": False,
        "snapshot_local_time_format": True,
    }, "what is not managed stays"


def test_a_yes_without_effect_is_a_failure_that_another_run_heals(twin: Twin) -> None:
    made(twin)
    for module, on, options in (
        ("dsm_account", "SYNO.Core.User.set", {"users": [{"name": "tars-backup", "enabled": False}]}),
        ("dsm_permission", "SYNO.Core.Share.Permission.set", {"shares": ACCESS}),
        ("dsm_snapshot", "SYNO.DisasterRecovery.Retention.set", {"shares": SNAPSHOTS}),
        (
            "dsm_snapshot",
            "SYNO.Core.Share.Snapshot.set_share_conf",
            {"shares": [{"share": "tars_backup", "visible": True}]},
        ),
    ):
        twin.faults.add("silent_noop", on=on)
        assert "reading back shows otherwise" in twin.run(module, **options)["msg"]
        assert run(twin, module, **options)["changed"] is True


def test_a_lost_answer_is_looked_for_and_not_repeated(twin: Twin) -> None:
    twin.faults.add("drop_after_write", on="SYNO.Core.User.create")
    assert len(run(twin, "dsm_account", **ACCOUNTS)["changes"]) == 3
    assert twin.count("SYNO.Core.User.create") == 1
    assert twin.faults.listed() == []
