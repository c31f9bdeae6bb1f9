# SPDX-License-Identifier: GPL-3.0-or-later
"""The dsm_* modules against a NAS that behaves like DSM, with faults. The NAS's own state is what counts."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

DOCS = {"name": "LLM_docs", "volume": "/volume1", "description": "Documents", "recycle_bin": True}
RULES = [
    {"client": "10.77.0.10", "access": "ro", "squash": "all_to_admin"},
    {"client": "10.77.0.30", "access": "rw", "squash": "all_to_admin"},
]
EXPORTS = [{"share": "LLM_docs", "rules": RULES}]


def made(twin: Twin) -> None:
    assert not twin.run("dsm_share", shares=[DOCS]).get("failed")


def exported(twin: Twin) -> None:
    made(twin)
    assert not twin.run("dsm_nfs", enabled=True, nfsv4_minor=1, exports=EXPORTS).get("failed")


def test_a_share_is_made_and_stays(twin: Twin) -> None:
    first = twin.run("dsm_share", shares=[DOCS])
    assert first["changed"] is True
    assert first["changes"] == ["create share /volume1/LLM_docs"]
    assert first["diff"]["before"] == {}
    assert first["shares"]["LLM_docs"]["recycle_bin"] is True
    assert (twin.root / "volume1" / "LLM_docs").is_dir()
    second = twin.run("dsm_share", shares=[DOCS])
    assert (second["changed"], second["changes"]) == (False, [])
    assert twin.count("SYNO.Core.Share.create") == 0


def test_check_mode_shows_the_same_and_writes_nothing(twin: Twin) -> None:
    planned = twin.run("dsm_share", check=True, shares=[DOCS])
    assert not (twin.root / "volume1" / "LLM_docs").exists()
    assert twin.count("SYNO.Core.Share.create") == 0
    done = twin.run("dsm_share", shares=[DOCS])
    for key in ("changed", "changes", "diff", "shares"):
        assert planned[key] == done[key]


def test_a_share_is_changed_and_what_is_not_given_stays(twin: Twin) -> None:
    made(twin)
    result = twin.run("dsm_share", shares=[{"name": "LLM_docs", "description": "New", "quota_mib": 100}])
    assert result["changes"] == ["set description 'New', quota_mib 100 of share LLM_docs"]
    assert result["diff"]["before"]["LLM_docs"]["description"] == "Documents"
    assert result["shares"]["LLM_docs"]["recycle_bin"] is True
    assert twin.run("dsm_share", shares=[{"name": "LLM_docs", "quota_mib": 100}])["changed"] is False


def test_a_share_goes_only_with_permission(twin: Twin) -> None:
    made(twin)
    refused = twin.run("dsm_share", shares=[{"name": "LLM_docs", "state": "absent"}])
    assert "DSM deletes the files with the share" in refused["msg"]
    assert (twin.root / "volume1" / "LLM_docs").is_dir()
    gone = twin.run("dsm_share", shares=[{"name": "LLM_docs", "state": "absent", "delete_data": True}])
    assert gone["changes"] == ["delete share /volume1/LLM_docs"]
    assert not (twin.root / "volume1" / "LLM_docs").exists()


def test_one_bad_share_stops_the_whole_list_before_the_first_change(twin: Twin) -> None:
    result = twin.run("dsm_share", shares=[DOCS, {"name": "homes", "volume": "/volume9"}])
    assert "the NAS has no volume /volume9 (found: /volume1, /volume2)" in result["msg"]
    assert "DSM reserves this name" in result["msg"]
    assert not (twin.root / "volume1" / "LLM_docs").exists()


def test_exports_turn_the_service_on_and_stay(twin: Twin) -> None:
    made(twin)
    first = twin.run("dsm_nfs", enabled=True, nfsv4_minor=1, exports=EXPORTS)
    assert first["changes"] == [
        "turn NFS on up to NFSv4.1",
        "export share LLM_docs to 10.77.0.10 ro, 10.77.0.30 rw",
    ]
    assert "10.77.0.10" in (twin.root / "ganesha.conf").read_text()
    second = twin.run("dsm_nfs", enabled=True, nfsv4_minor=1, exports=EXPORTS)
    assert (second["changed"], second["diff"]["before"]) == (False, second["diff"]["after"])


def test_foreign_rules_of_a_listed_share_go_and_others_stay(twin: Twin) -> None:
    exported(twin)
    assert not twin.run("dsm_share", shares=[{"name": "other", "volume": "/volume2"}]).get("failed")
    anyone = [{"client": "*", "access": "rw", "squash": "no_mapping", "insecure": True}]
    twin.run("dsm_nfs", exports=[{"share": "LLM_docs", "rules": anyone}, {"share": "other", "rules": anyone}])
    result = twin.run("dsm_nfs", exports=EXPORTS)
    assert result["changes"] == ["export share LLM_docs to 10.77.0.10 ro, 10.77.0.30 rw"]
    clients = {name: [rule["client"] for rule in rules] for name, rules in twin.state["rules"].items()}
    assert clients == {"LLM_docs": ["10.77.0.10", "10.77.0.30"], "other": ["*"]}


def test_a_share_that_is_not_there_has_no_export_but_a_plan(twin: Twin) -> None:
    refused = twin.run("dsm_nfs", enabled=True, exports=EXPORTS)
    assert "Create it with tars.home.dsm_share" in refused["msg"]
    assert twin.state["nfs"]["enable_nfs"] is False
    planned = twin.run("dsm_nfs", check=True, enabled=True, nfsv4_minor=1, exports=EXPORTS)
    assert planned["changes"][1] == "export share LLM_docs to 10.77.0.10 ro, 10.77.0.30 rw"
    assert "does not exist yet" in str(planned["warnings"])


def test_rules_while_the_service_is_off_are_refused_before_asking(twin: Twin) -> None:
    made(twin)
    result = twin.run("dsm_nfs", exports=EXPORTS)
    assert "NFS is off, and DSM does not save rules then. Set enabled: true" in result["msg"]
    assert twin.count("SYNO.Core.FileServ.NFS.SharePrivilege.save") == 0


def test_info_reports_the_identity_of_the_nas(twin: Twin) -> None:
    exported(twin)
    shown = twin.run("dsm_info")
    assert shown["changed"] is False
    assert shown["system"]["serial"] == "LAB0000001"
    assert shown["system"]["version"].startswith("DSM 7.1.1")
    assert {volume["path"]: volume["file_system"] for volume in shown["volumes"]} == {
        "/volume1": "btrfs",
        "/volume2": "ext4",
    }
    assert shown["volumes"][0]["free_bytes"] > 0
    assert shown["shares"]["LLM_docs"]["path"] == "/volume1/LLM_docs"
    assert [rule["client"] for rule in shown["nfs"]["exports"]["LLM_docs"]] == ["10.77.0.10", "10.77.0.30"]


def test_one_login_serves_a_play_and_the_last_task_ends_it(twin: Twin) -> None:
    twin.run("dsm_share", shares=[DOCS])
    assert twin.count("SYNO.API.Auth.login") == 1
    assert stat.S_IMODE(twin.session_file.stat().st_mode) == 0o600
    assert twin.connection["password"] not in twin.session_file.read_text()
    twin.run("dsm_nfs", enabled=True, exports=EXPORTS)
    assert twin.count("SYNO.API.Auth.login") == 0
    twin.run("dsm_nfs", enabled=True, exports=EXPORTS)
    assert twin.calls == ["SYNO.Core.Share.list", "SYNO.Entry.Request.request"], "two requests find nothing to change"
    assert twin.run("dsm_session", state="absent")["ended"] is True
    assert not twin.session_file.exists()
    assert twin.run("dsm_session", state="absent")["ended"] is False
    assert twin.count("SYNO.API.Auth.login") == 0


def test_without_a_session_file_each_task_logs_out(twin: Twin) -> None:
    twin.run("dsm_info", session_file=None, gather=["system"])
    assert (twin.count("SYNO.API.Auth.login"), twin.count("SYNO.API.Auth.logout")) == (1, 1)


def test_a_wrong_password_is_tried_once(twin: Twin) -> None:
    result = twin.run("dsm_share", password="wrong one", shares=[DOCS])
    assert result["failed"] is True
    assert "there is no such account, or the password is wrong (code 400" in result["msg"]
    assert "auto block" in result["msg"]
    assert twin.count("SYNO.API.Auth.login") == 1


@pytest.mark.parametrize(
    "fault, words", [("autoblock", "is blocked after failed logins"), ("otp_required", "needs a 2-factor code")]
)
def test_a_refused_login_names_the_next_step(twin: Twin, fault: str, words: str) -> None:
    twin.faults.add(fault, count=5)
    assert words in twin.run("dsm_info")["msg"]
    assert twin.count("SYNO.API.Auth.login") == 1


def test_an_ordinary_account_gets_the_missing_right_reported(twin: Twin) -> None:
    result = twin.run("dsm_share", account="guest-user", password="plain", shares=[DOCS])
    assert "administrators" in result["msg"]
    assert twin.count("SYNO.API.Auth.login") == 2


@pytest.mark.parametrize("fault", ["expire_session", "duplicate_login"])
def test_a_session_that_ended_is_renewed_once(twin: Twin, fault: str) -> None:
    made(twin)
    twin.faults.add(fault)
    result = twin.run("dsm_nfs", enabled=True, exports=EXPORTS)
    assert result["changed"] is True
    assert twin.count("SYNO.API.Auth.login") == 1


@pytest.mark.parametrize(
    "fault, on",
    [
        ("drop_after_write", "SYNO.Core.Share.create"),
        ("busy_117", "SYNO.Core.Share"),
        ("locked_3328", "SYNO.Core.Share.create"),
    ],
)
def test_a_hindered_creation_still_succeeds(twin: Twin, fault: str, on: str) -> None:
    twin.faults.add(fault, on=on)
    result = twin.run("dsm_share", shares=[DOCS])
    assert result["changed"] is True
    assert twin.faults.listed() == []
    # Only the one that DSM itself refused was sent again.
    assert twin.count("SYNO.Core.Share.create") == (2 if fault == "locked_3328" else 1)


def test_a_lost_answer_in_the_middle_leaves_the_rest_to_do(twin: Twin) -> None:
    made(twin)
    twin.faults.add("drop_after_write", on="SYNO.Core.FileServ.NFS.set")
    result = twin.run("dsm_nfs", enabled=True, nfsv4_minor=1, exports=EXPORTS)
    assert len(result["changes"]) == 2
    assert twin.count("SYNO.Core.FileServ.NFS.set") == 1
    assert twin.count("SYNO.Core.FileServ.NFS.SharePrivilege.save") == 1


def test_a_share_just_made_is_waited_for(twin: Twin) -> None:
    made(twin)
    twin.faults.add("nfs_2370_after_create", count=2)
    assert twin.run("dsm_nfs", enabled=True, exports=EXPORTS)["changed"] is True
    assert twin.count("SYNO.Core.FileServ.NFS.SharePrivilege.save") == 3


@pytest.mark.parametrize(
    "module, on, options",
    [
        ("dsm_share", "SYNO.Core.Share", {"shares": [{"name": "LLM_docs", "hidden": True}]}),
        ("dsm_nfs", "SYNO.Core.FileServ.NFS.SharePrivilege.save", {"exports": [{"share": "LLM_docs", "rules": []}]}),
    ],
)
def test_a_yes_without_effect_is_a_failure(twin: Twin, module: str, on: str, options: dict[str, Any]) -> None:
    exported(twin)
    twin.faults.add("silent_noop", on=on)
    result = twin.run(module, **options)
    assert result["failed"] is True
    assert "reading back shows otherwise" in result["msg"]


def test_compression_that_did_not_come_is_noticed(twin: Twin) -> None:
    made(twin)
    result = twin.run("dsm_share", shares=[{**DOCS, "cow": True}])
    assert "has cow False, expected True, which DSM sets only when a share is created" in result["msg"]


def test_another_machine_gets_no_password(twin: Twin) -> None:
    result = twin.run("dsm_info", fingerprint="00" * 32)
    assert f"shows the certificate {twin.fingerprint}" in result["msg"]
    assert twin.calls == []


def test_a_nas_that_is_off_is_named(twin: Twin) -> None:
    result = twin.run("dsm_info", port=1)
    assert "https://127.0.0.1:1 does not answer" in result["msg"]


def test_a_full_list_of_what_went_wrong_survives_a_partial_run(twin: Twin, tmp_path: Path) -> None:
    (twin.root / "volume1" / "taken").mkdir()
    result = twin.run("dsm_share", shares=[DOCS, {"name": "taken", "volume": "/volume1"}])
    assert "share taken: a folder of that name lies on the volume already (code 3312" in result["msg"]
    assert (result["changed"], result["changes"]) == (True, ["create share /volume1/LLM_docs"])
