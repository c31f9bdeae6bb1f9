# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that all calls pass, and the injected faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tars_lab.dsm_twin.faults import main as fault_command
from tars_lab.dsm_twin.server import redirect

INFO = ("SYNO.DSM.Info", "getinfo", 2)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"method": "getinfo", "version": "2"}, 101),
        ({"api": "SYNO.DSM.Info", "version": "2"}, 101),
        ({"api": "SYNO.DSM.Info", "method": "getinfo"}, 101),
        ({"api": "SYNO.DSM.Info", "method": "getinfo", "version": "two"}, 101),
        ({"api": "SYNO.DSM.Info", "method": "getinfo", "version": "9" * 5000}, 101),
        ({"api": "SYNO.DSM.Imaginary", "method": "no", "version": "99"}, 102),
        ({"api": "SYNO.DSM.Info", "method": "no", "version": "99"}, 104),
        ({"api": "SYNO.DSM.Info", "method": "no", "version": "2"}, 103),
        ({"api": "SYNO.DSM.Info", "method": "getinfo", "version": "2"}, 119),
        ({"api": "SYNO.Core.Share", "method": "get", "version": "1"}, 119),
        ({"api": "SYNO.Core.FileServ.NFS", "method": "get", "version": "3"}, 103),
    ],
)
def test_order_of_the_checks(stranger: Any, fields: dict[str, str], code: int) -> None:
    answer = stranger.http.post("/webapi/entry.cgi", data=fields)
    assert (answer.status_code, answer.json()) == (200, {"success": False, "error": {"code": code}})


def test_parameters_are_checked_last(dsm: Any) -> None:
    assert dsm("SYNO.Core.Share", "get")["error"] == {"code": 120, "errors": {"name": "name", "reason": "required"}}


def test_api_info_needs_no_session_and_omits_unknown_names(stranger: Any) -> None:
    everything = stranger.http.get("/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=all").json()
    assert everything["data"]["SYNO.API.Auth"] == {"path": "entry.cgi", "minVersion": 1, "maxVersion": 7}
    assert everything["data"]["SYNO.Core.Share"]["requestFormat"] == "JSON"
    two = stranger.data("SYNO.API.Info", "query", raw={"query": "SYNO.Core.Share,SYNO.DNSServer.Zone"})
    assert list(two) == ["SYNO.Core.Share"]


def test_old_programs_answer_only_their_own_api(stranger: Any) -> None:
    login = {"api": "SYNO.API.Auth", "method": "login", "version": "6", "account": "tars-admin", "passwd": "right"}
    assert stranger.http.post("/webapi/auth.cgi", data=login).json()["success"]
    assert stranger.http.post("/webapi/query.cgi", data=login).json()["error"]["code"] == 102
    assert stranger.http.post("/webapi/entry.cgi/SYNO.API.Auth", data=login).json()["success"]
    assert stranger.http.post("/webapi/entry.cgi/SYNO.Core.Share", data=login).json()["error"]["code"] == 102
    assert stranger.http.get("/webapi/other.cgi").status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps({"api": "SYNO.API.Info", "method": "query", "version": 1}).encode()),
        ("application/x-www-form-urlencoded", b"api=SYNO.API.Info&method=query&version=1&broken"),
        ("application/x-www-form-urlencoded", b"api=SYNO.API.Info&method=query&version=1&version=1"),
        ("application/x-www-form-urlencoded", b"api=SYNO.API.Info&method=query&version=1&query=%ff"),
        ("application/x-www-form-urlencoded", b"api=SYNO.API.Info&method=query&version=1&query=\xff"),
        ("application/x-www-form-urlencoded", b""),
    ],
)
def test_a_body_that_is_not_a_form(stranger: Any, content_type: str, body: bytes) -> None:
    answer = stranger.http.post("/webapi/entry.cgi", content=body, headers={"Content-Type": content_type})
    assert answer.json()["error"]["code"] == 101


def test_api_and_session_can_be_in_the_query(dsm: Any) -> None:
    query = dsm.session | {"api": "SYNO.DSM.Info", "method": "getinfo", "version": "2"}
    assert dsm.http.post("/webapi/entry.cgi", params=query, data={"mimeType": "application/json"}).json()["success"]


def test_writes_by_get_do_not_run(dsm: Any, tmp_path: Path) -> None:
    info = json.dumps({"name": "docs", "vol_path": "/volume1", "name_org": ""})
    fields = {"api": "SYNO.Core.Share", "method": "create", "version": "1", "name": '"docs"', "shareinfo": info}
    assert dsm.http.get("/webapi/entry.cgi", params=dsm.session | fields).status_code == 503
    assert not (tmp_path / "volume1/docs").exists()


def test_a_program_that_fails_is_a_bad_gateway(dsm: Any, tmp_path: Path) -> None:
    (tmp_path / "volume1").rename(tmp_path / "gone")
    fields = {"api": "SYNO.Storage.CGI.Storage", "method": "load_info", "version": "1"}
    assert dsm.http.post("/webapi/entry.cgi", data=dsm.session | fields).status_code == 502


def test_port_5000_redirects() -> None:
    http = TestClient(redirect(5001), base_url="http://nas:5000", follow_redirects=False)
    answer = http.get("/webapi/query.cgi?query=all")
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://nas:5001/webapi/query.cgi?query=all"


def test_a_busy_fault_ends_after_its_count(nas: Any, dsm: Any) -> None:
    nas.faults.add("busy_117", 2)
    assert [dsm.code(*INFO) for _ in range(3)] == [117, 117, 0]


def test_a_fault_of_one_method_does_not_affect_others(nas: Any, dsm: Any) -> None:
    nas.faults.add("busy_117", on="SYNO.Core.Share.list")
    nas.faults.add("busy_117", on="SYNO.Core.FileServ.NFS")
    assert dsm.code(*INFO) == 0
    assert dsm.code("SYNO.Core.Share", "list") == 117
    assert dsm.code("SYNO.Core.FileServ.NFS", "get", 2) == 117


def test_the_lock_fault_affects_only_writes_of_shares(nas: Any, dsm: Any) -> None:
    nas.faults.add("locked_3328")
    dsm.enable_nfs()
    assert [dsm.create("docs"), dsm.create("docs")] == [3328, 0]


def test_silent_noop_answers_success_without_an_effect(nas: Any, dsm: Any, tmp_path: Path) -> None:
    nas.faults.add("silent_noop")
    assert dsm.create("docs") == 0
    assert dsm.code("SYNO.Core.Share", "get", name="docs") == 402
    assert not (tmp_path / "volume1/docs").exists()
    assert dsm.create("docs") == 0


def test_drop_after_write_carries_the_write_out(nas: Any, dsm: Any, tmp_path: Path) -> None:
    nas.faults.add("drop_after_write")
    with pytest.raises(ConnectionResetError):
        dsm.create("docs")
    assert (tmp_path / "volume1/docs").is_dir()
    assert dsm.create("docs") == 3301


def test_drop_before_has_no_effect(nas: Any, dsm: Any, tmp_path: Path) -> None:
    nas.faults.add("drop_before", on="SYNO.Core.Share.create", after=1)
    assert dsm.create("docs") == 0
    with pytest.raises(ConnectionResetError):
        dsm.create("more")
    assert not (tmp_path / "volume1/more").exists()
    assert dsm.create("more") == 0


def test_a_crash_is_answered_by_the_gateway_without_an_effect(nas: Any, dsm: Any, tmp_path: Path) -> None:
    nas.faults.add("crash_502")
    shareinfo = json.dumps({"name": "docs", "vol_path": "/volume1", "name_org": ""})
    form = {"api": "SYNO.Core.Share", "method": "create", "version": "1", "name": '"docs"', "shareinfo": shareinfo}
    answer = dsm.http.post("/webapi/entry.cgi", data=form | dsm.session)
    assert (answer.status_code, "html" in answer.text, (tmp_path / "volume1/docs").exists()) == (502, True, False)


def test_half_list_uses_the_first_half(nas: Any, dsm: Any) -> None:
    dsm.create("docs")
    dsm.create("more")
    nas.faults.add("half_list", on="SYNO.Core.Share.delete")
    assert dsm.code("SYNO.Core.Share", "delete", name=["docs", "more"]) == 0
    assert list(nas.state.data["shares"]) == ["more"]
    assert nas.faults.listed() == []


def test_a_missing_api_is_not_listed(nas: Any, dsm: Any, stranger: Any) -> None:
    nas.faults.add("missing_102", on="SYNO.Core.Share")
    query = {"query": "SYNO.Core.Share,SYNO.Core.Share.Permission"}
    assert list(stranger.data("SYNO.API.Info", "query", raw=query)) == ["SYNO.Core.Share.Permission"]
    assert [dsm.code("SYNO.Core.Share", "list"), dsm.code("SYNO.Core.Share", "list")] == [102, 0]


def test_a_version_is_rejected_by_a_fault(nas: Any, dsm: Any) -> None:
    nas.faults.add("refused_104")
    assert [dsm.code(*INFO), dsm.code(*INFO)] == [104, 0]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("not_permitted_105", 105),
        ("expire_session", 106),
        ("duplicate_login", 107),
        ("unknown_session_119", 119),
        ("moved_150", 150),
    ],
)
def test_faults_end_sessions(nas: Any, dsm: Any, fault: str, code: int) -> None:
    nas.faults.add(fault)
    assert [dsm.code(*INFO), dsm.code(*INFO)] == [code, 119]


@pytest.mark.parametrize(("fault", "code"), [("otp_required", 403), ("autoblock", 407)])
def test_faults_reject_logins(nas: Any, stranger: Any, fault: str, code: int) -> None:
    nas.faults.add(fault)
    assert [stranger.login_code(), stranger.login_code()] == [code, 0]


def test_only_one_write_runs_at_a_time(nas: Any, dsm: Any) -> None:
    with nas.writing:
        assert dsm.create("docs") == 3328
        assert dsm.code("SYNO.Core.FileServ.NFS", "set", 2) == 117
        assert dsm.code("SYNO.Core.Share", "list") == 0


def test_fault_command(nas: Any, stranger: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file_option = ["--file", str(tmp_path / "faults.json")]
    fault_command([*file_option, "add", "autoblock", "--count", "2"])
    assert json.loads(capsys.readouterr().out) == [{"name": "autoblock", "count": 2, "on": "", "after": 0}]
    assert (tmp_path / "faults.json").stat().st_mode & 0o777 == 0o600
    assert stranger.login_code() == 407
    fault_command([*file_option, "clear"])
    assert stranger.login_code() == 0
    with pytest.raises(SystemExit):
        fault_command([*file_option, "add", "imaginary"])
