# SPDX-License-Identifier: GPL-3.0-or-later
"""An account with 2-factor authentication: by the modules without anybody typing, and by two public clients."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from synology_api.base_api import BaseApi
from synology_api.core_sys_info import SysInfo
from synology_api.exceptions import LoginError
from synology_dsm import SynologyDSM
from synology_dsm.exceptions import SynologyDSMLogin2SAFailedException, SynologyDSMLogin2SARequiredException

from tars_lab.dsm_twin.accounts import one_time_code

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
GUARDED = {"account": "guarded", "password": "plain"}


def run(twin: Twin, device_file: Path, secret: str | None = SECRET) -> dict[str, Any]:
    """The result of a play of one task, after which nobody is logged in."""
    options = {**GUARDED, "session_file": None, "device_file": str(device_file), "otp_secret": secret}
    result: dict[str, Any] = twin.run("dsm_info", gather=["system"], **options)
    assert SECRET not in str(result)
    assert twin.count("SYNO.API.Auth.login") == 1
    return result


def known(twin: Twin) -> dict[str, Any]:
    shown: dict[str, Any] = twin.state["devices"]
    return shown


def test_one_code_and_then_the_device(twin: Twin, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "device.json"
    assert "needs a 2-factor code (code 403" in run(twin, file, secret=None)["msg"]
    assert run(twin, file)["system"]["serial"] == "LAB0000001"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (device,) = known(twin)
    assert json.loads(file.read_text())["guarded"]["id"] == device
    for secret in (SECRET, None):
        assert run(twin, file, secret)["system"]["serial"] == "LAB0000001"
    assert list(known(twin)) == [device]


def test_a_device_that_the_nas_forgot(twin: Twin, tmp_path: Path) -> None:
    file = tmp_path / "device.json"
    run(twin, file)
    with twin.nas.state.change() as data:
        data["devices"] = {}
    assert "so it was deleted: run again" in run(twin, file)["msg"]
    assert twin.nas.auto_block._failures == {}
    # Half a minute later.
    file.unlink()
    twin.nas.codes._spent.clear()
    assert run(twin, file)["system"]["serial"] == "LAB0000001"
    assert len(known(twin)) == 1


def test_a_wrong_secret_is_one_failed_login(twin: Twin, tmp_path: Path) -> None:
    refused = run(twin, tmp_path / "device.json", "JBSWY3DPEHPK3PXP")
    assert "the 2-factor code was refused (code 404" in refused["msg"]
    assert [len(times) for times in twin.nas.auto_block._failures.values()] == [1]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("otp_enforced", "(code 406 of SYNO.API.Auth login). Set it up in DSM's web page"),
        ("password_expired", "(code 409 of SYNO.API.Auth login). Log in to DSM's web page once and change it"),
        ("password_must_change", "(code 410 of SYNO.API.Auth login). Log in to DSM's web page once"),
    ],
)
def test_the_fault_of_an_account_is_reported(twin: Twin, fault: str, words: str) -> None:
    twin.faults.add(fault, count=2)
    assert words in twin.run("dsm_info")["msg"]
    assert twin.count("SYNO.API.Auth.login") == 1


async def test_the_client_of_home_assistant(twin: Twin) -> None:
    twin.nas.codes.clock = lambda: 1111111109.0
    code = one_time_code(SECRET, 1111111109)
    trusted = ssl.create_default_context(cafile=twin.root / "cert.pem")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:

        def client(token: str | None = None) -> SynologyDSM:
            return SynologyDSM(session, "127.0.0.1", twin.port, "guarded", "plain", use_https=True, device_token=token)

        with pytest.raises(SynologyDSMLogin2SARequiredException):
            await client().login()
        first = client()
        assert await first.login(code)
        assert list(known(twin)) == [first.device_token]
        with pytest.raises(SynologyDSMLogin2SAFailedException):
            await client().login(code)
        later = client(first.device_token)
        assert await later.login()
        assert later.information.serial == "LAB0000001"


def test_synology_api(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(twin, tmp_path / "device.json")
    device = json.loads((tmp_path / "device.json").read_text())["guarded"]
    twin.nas.codes.clock = lambda: device["spent"] * 30 + 30.0
    code = one_time_code(SECRET, device["spent"] * 30 + 30)

    def serial(**factor: str) -> Any:
        monkeypatch.setattr(BaseApi, "shared_session", None)
        how = {"secure": True, "cert_verify": False, "dsm_version": 6, "debug": False}
        return SysInfo("127.0.0.1", str(twin.port), "guarded", "plain", **how, **factor).dsm_info()["data"]["serial"]

    with pytest.raises(LoginError):
        serial()
    assert serial(otp_code=code) == "LAB0000001"
    with pytest.raises(LoginError):
        serial(otp_code=code)
    assert serial(device_id=device["id"], device_name=device["name"]) == "LAB0000001"


def test_plays_of_the_role_need_nobody(twin: Twin, play_nas: Any, tmp_path: Path) -> None:
    device = {"nas_otp_secret": SECRET, "nas_device_file": str(tmp_path / "device.json")}
    desired_states = {"nas_account": "guarded", "nas_password": "plain", "nas_sftp": True, **device}
    for changed in (1, 0):
        twin.calls.clear()
        stats, output = play_nas(desired_states, SECRET)()
        assert (stats["failures"], stats["changed"]) == (0, changed), output
        assert twin.count("SYNO.API.Auth.login") == 1
    assert len(known(twin)) == 1
