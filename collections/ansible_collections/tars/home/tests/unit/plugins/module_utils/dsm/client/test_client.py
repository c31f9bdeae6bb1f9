# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import PAUSES_S, Client, encode
from ansible_collections.tars.home.plugins.module_utils.dsm.client.transport import Endpoint, Transport
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import (
    ApiError,
    ConnectionLostError,
    DsmError,
    UnreachableError,
)

DROP = "drop the connection instead of answering"
CRASH = "answer as the gateway does when the program behind it died"
Connect = Callable[..., Client]
Nas = Any


def info(client: Client) -> Any:
    return client.read(Call("SYNO.DSM.Info", "getinfo", 2))


def create(client: Client, **more: Any) -> Any:
    return client.write(Call("SYNO.Core.Share", "create", 1), {"name": "docs", "shareinfo": {"hidden": True}}, **more)


def test_a_call_goes_out_as_dsm_wants_it(nas: Nas, connect: Connect) -> None:
    nas.answers["SYNO.Core.Share.create"] = [{"name": "docs"}]
    with connect() as client:
        assert create(client) == {"name": "docs"}
    request = nas.asked("SYNO.Core.Share.create")[0]
    assert request.path == "/webapi/entry.cgi"
    assert request.query == {"_sid": "sid1", "SynoToken": "token"}
    assert request.headers["x-syno-token"] == "token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form["name"] == '"docs"'
    assert json.loads(request.form["shareinfo"]) == {"hidden": True}


def test_login_values_are_bare_and_stay_out_of_the_query(nas: Nas, connect: Connect) -> None:
    with connect(password='pass"word & ü') as client:
        info(client)
    login = nas.asked("SYNO.API.Auth.login")[0]
    assert login.form["passwd"] == 'pass"word & ü'
    assert login.form["version"] == "7"
    assert login.form["enable_syno_token"] == "yes"
    assert login.query == {}


def test_the_version_is_negotiated(nas: Nas, connect: Connect) -> None:
    nas.apis["SYNO.Core.FileServ.NFS"]["maxVersion"] = 1
    nas.apis["SYNO.DSM.Info"]["minVersion"] = 3
    with connect() as client:
        client.read(Call("SYNO.Core.FileServ.NFS", "get", 2))
        with pytest.raises(DsmError, match=r"supports SYNO.DSM.Info from version 3 on, this client up to 2"):
            info(client)
    assert nas.asked("SYNO.Core.FileServ.NFS.get")[0].form["version"] == "1"


def test_the_path_is_the_one_dsm_names(nas: Nas, connect: Connect) -> None:
    nas.apis["SYNO.DSM.Info"]["path"] = "x9f2/entry.cgi"
    with connect() as client:
        info(client)
    assert nas.asked("SYNO.DSM.Info.getinfo")[0].path == "/webapi/x9f2/entry.cgi"


def test_an_api_that_is_not_there_is_named(nas: Nas, connect: Connect) -> None:
    with connect() as client, pytest.raises(ApiError, match="this DSM does not have the API") as caught:
        client.read(Call("SYNO.DNSServer.Zone", "list", 1))
    assert caught.value.code == 102


@pytest.mark.parametrize("newest", [6, 7])
def test_login_falls_back_to_version_6(nas: Nas, connect: Connect, newest: int) -> None:
    nas.apis["SYNO.API.Auth"]["maxVersion"] = newest
    nas.answers["SYNO.API.Auth.login"] = [104, {"sid": "s", "synotoken": "t"}] if newest == 7 else [{"sid": "s"}]
    with connect() as client:
        info(client)
    versions = [login.form["version"] for login in nas.asked("SYNO.API.Auth.login")]
    assert versions == (["7", "6"] if newest == 7 else ["6"])


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 406, 407, 408, 409, 410, 411])
def test_a_refused_login_is_not_tried_again(nas: Nas, connect: Connect, code: int) -> None:
    nas.answers["SYNO.API.Auth.login"] = [code]
    with connect() as client, pytest.raises(ApiError, match=f"account tars-admin at https://localhost.*code {code}"):
        info(client)
    assert len(nas.asked("SYNO.API.Auth.login")) == 1


def test_a_wrong_password_is_not_tried_again(nas: Nas, connect: Connect) -> None:
    nas.answers["SYNO.API.Auth.login"] = [400]
    with connect() as client, pytest.raises(ApiError, match=r"password is wrong.*auto block"):
        info(client)


@pytest.mark.parametrize("code", [105, 106, 107, 119, 150])
def test_a_lost_session_is_renewed_once(nas: Nas, connect: Connect, code: int) -> None:
    nas.answers["SYNO.Core.Share.create"] = [code, {"name": "docs"}]
    nas.answers["SYNO.DSM.Info.getinfo"] = [code]
    with connect() as client:
        create(client)
        with pytest.raises(ApiError):
            info(client)
    assert len(nas.asked("SYNO.API.Auth.login")) == 2
    assert [request.query["_sid"] for request in nas.asked("SYNO.Core.Share.create")] == ["sid1", "sid2"]


@pytest.mark.parametrize("code", [109, 110, 111, 117, 118])
def test_a_busy_read_is_repeated_for_a_while(nas: Nas, connect: Connect, code: int) -> None:
    nas.answers["SYNO.DSM.Info.getinfo"] = [code, code, {"serial": "1"}]
    with connect() as client:
        assert info(client) == {"serial": "1"}
    assert nas.slept == list(PAUSES_S[:2])


@pytest.mark.parametrize("code", [117, 3328, 3330])
def test_a_busy_write_is_repeated_for_a_while_only(nas: Nas, connect: Connect, code: int) -> None:
    nas.answers["SYNO.Core.Share.create"] = [code]
    with connect() as client, pytest.raises(ApiError, match=r"share docs: .*(Run again|use it)"):
        create(client, subject="share docs")
    assert nas.slept == list(PAUSES_S)
    assert len(nas.asked("SYNO.Core.Share.create")) == 1 + len(PAUSES_S)


def test_2370_is_repeated_only_where_the_caller_knows_the_share(nas: Nas, connect: Connect) -> None:
    call = Call("SYNO.Core.FileServ.NFS", "save", 1)
    nas.answers["SYNO.Core.FileServ.NFS.save"] = [2370, 2370, {}]
    with connect() as client:
        with pytest.raises(ApiError, match="the share does not exist or is not ready yet"):
            client.write(call)
        client.write(call, busy=frozenset({2370}))
    assert nas.slept == [PAUSES_S[0]]


@pytest.mark.parametrize("ending", [DROP, CRASH])
def test_a_write_without_an_answer_is_not_repeated(nas: Nas, connect: Connect, ending: str) -> None:
    nas.answers["SYNO.Core.Share.create"] = [ending]
    with connect() as client, pytest.raises(ConnectionLostError):
        create(client)
    assert len(nas.asked("SYNO.Core.Share.create")) == 1


def test_a_read_without_an_answer_is_repeated(nas: Nas, connect: Connect) -> None:
    nas.answers["SYNO.DSM.Info.getinfo"] = [DROP, CRASH, {"serial": "1"}]
    with connect() as client:
        assert info(client) == {"serial": "1"}


def test_an_outdated_table_of_versions_is_asked_again(nas: Nas, connect: Connect) -> None:
    nas.answers["SYNO.DSM.Info.getinfo"] = [104, {"serial": "1"}]
    with connect() as client:
        assert info(client) == {"serial": "1"}
    assert len(nas.asked("SYNO.API.Info.query")) == 2


def test_one_request_asks_for_all_apis(nas: Nas, connect: Connect) -> None:
    with connect() as client:
        info(client)
        create(client)
        with pytest.raises(ApiError):
            client.read(Call("SYNO.Brought.By.APackage", "get", 1))
        nas.apis["SYNO.Brought.By.APackage"] = {"path": "entry.cgi", "minVersion": 1, "maxVersion": 1}
        client.read(Call("SYNO.Brought.By.APackage", "get", 1))
    first, *later = [request.form["query"].split(",") for request in nas.asked("SYNO.API.Info.query")]
    assert {"SYNO.API.Auth", "SYNO.DSM.Info", "SYNO.Core.Share"} <= set(first)
    assert later == [["SYNO.Brought.By.APackage"]] * 2


def test_details_of_an_error_are_shown(nas: Nas, connect: Connect) -> None:
    error = ApiError("SYNO.Core.Share", "list", 120, {"name": "additional", "reason": "type"}, "share docs")
    assert "share docs: a parameter has a value that DSM does not accept (code 120" in str(error)
    assert "{'name': 'additional', 'reason': 'type'}" in str(error)


def test_a_nas_that_is_off_is_reported_at_once(connect: Connect, nas: Nas) -> None:
    client = connect()
    client.link.transport = Transport(Endpoint("localhost", 1, nas.fingerprint))
    with client, pytest.raises(UnreachableError, match=r"https://localhost:1 does not answer .*NAS is on"):
        info(client)
    assert nas.slept == []


def test_one_login_serves_all_who_share_the_file(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "run" / "session.json"
    for _task in range(3):
        with connect(file) as client:
            info(client)
    assert len(nas.asked("SYNO.API.Auth.login")) == 1
    assert len(nas.asked("SYNO.API.Info.query")) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "right" not in file.read_text()


def test_logout_ends_the_session_and_removes_the_file(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    with connect(file) as client:
        info(client)
        assert client.logout() is True
        assert client.logout() is False
    assert not file.exists()
    assert nas.asked("SYNO.API.Auth.logout")[0].query["_sid"] == "sid1"


def test_without_a_file_each_client_logs_out(nas: Nas, connect: Connect) -> None:
    with connect() as client:
        info(client)
    assert len(nas.asked("SYNO.API.Auth.logout")) == 1


def test_the_session_of_another_nas_or_account_is_not_used(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    stored = {"owner": "somebody at https://elsewhere:5001", "sid": "theirs", "synotoken": "", "apis": {}}
    file.write_text(json.dumps(stored))
    file.chmod(0o600)
    with connect(file) as client:
        info(client)
    assert nas.asked("SYNO.DSM.Info.getinfo")[0].query["_sid"] == "sid1"


def test_a_session_that_others_can_read_is_refused(connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(DsmError, match="mode 0644"):
        connect(file)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sid": "s"}', '{"owner": "o", "later": 1}'])
def test_a_torn_session_file_is_replaced(nas: Nas, connect: Connect, tmp_path: Path, content: str) -> None:
    file = tmp_path / "session.json"
    file.write_text(content)
    file.chmod(0o600)
    with connect(file) as client:
        info(client)
    assert json.loads(file.read_text())["sid"] == "sid1"


def test_a_session_file_that_cannot_be_is_explained(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DsmError, match="Set session_file"):
        connect(tmp_path / "file" / "session.json")


def test_changes_wait_for_one_another(nas: Nas, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    with connect(file) as first, connect(file) as second:
        info(first)
        finished = threading.Event()

        def change() -> None:
            create(second)
            finished.set()

        other = threading.Thread(target=change)
        with first.store.exclusive():
            other.start()
            assert not finished.wait(0.2)
            assert nas.asked("SYNO.Core.Share.create") == []
        other.join()
    assert len(nas.asked("SYNO.Core.Share.create")) == 1
    assert os.path.exists(f"{file}.lock")


def test_values_are_json_where_the_api_has_a_request_format() -> None:
    assert encode({"name": "x", "list": ["a"], "on": True, "n": 3}, True) == {
        "name": '"x"',
        "list": '["a"]',
        "on": "true",
        "n": "3",
    }
    assert encode({"account": "x", "on": True}, False) == {"account": "x", "on": "true"}
