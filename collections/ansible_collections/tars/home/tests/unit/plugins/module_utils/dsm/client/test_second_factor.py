# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that are sent once, and the token that takes their place."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.client.second_factor import SecondFactor, one_time_code
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import ApiError, DsmError

Connect = Callable[..., Client]
Nas = Any
# "12345678901234567890", the secret of RFC 6238, appendix B.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
LOGIN = "SYNO.API.Auth.login"


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert one_time_code(SECRET, at // 30) == code


def test_a_secret_is_taken_as_people_copy_it() -> None:
    expected = one_time_code("JBSWY3DPEHPK3PXPJA", 1)
    assert one_time_code("jbsw y3dp-ehpk 3pxp ja======", 1) == expected
    for wrong in ("", "123456", "not a secret!"):
        with pytest.raises(DsmError, match="invalid otp_secret: expected a base32 secret") as caught:
            one_time_code(wrong, 1)
        assert not wrong or wrong not in str(caught.value)


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1111111109.0
        self.reported: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def guarded(connect: Connect, tmp_path: Path, time: Time) -> Callable[..., Client]:
    """A client of an account with a second factor, in a process of its own."""

    def client(secret: str | None = SECRET, session_file: Path | None = None) -> Client:
        client = connect(session_file)
        file = str(tmp_path / "keys" / "device.json")
        factor = SecondFactor("tars-admin", secret, file, time.sleep, time.reported.append, lambda: time.now)
        client.link.second_factor = factor
        return client

    return client


def info(client: Client) -> Any:
    with client:
        return client.read(Call("SYNO.DSM.Info", "getinfo", 2))


def sent(nas: Nas) -> list[dict[str, str]]:
    keys = ("otp_code", "device_id", "device_name", "enable_device_token")
    return [{key: request.form[key] for key in keys if key in request.form} for request in nas.asked(LOGIN)]


@pytest.mark.parametrize("key", ["device_id", "did"])
def test_the_first_login_sends_a_code_and_later_ones_the_device(
    nas: Nas, guarded: Any, tmp_path: Path, key: str
) -> None:
    nas.answers[LOGIN] = [{"sid": "s", key: "token"}, {"sid": "t"}]
    info(guarded())
    info(guarded())
    info(guarded(secret=None))
    first, *later = sent(nas)
    assert (first.pop("otp_code"), first.pop("enable_device_token")) == ("081804", "yes")
    assert later == [{"device_id": "token", **first}] * 2
    file = tmp_path / "keys" / "device.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert SECRET not in file.read_text()


def test_a_code_is_never_sent_twice(nas: Nas, guarded: Any, time: Time) -> None:
    nas.answers[LOGIN] = [404, {"sid": "s"}]
    with pytest.raises(ApiError, match=r"2-factor code was refused.*clocks.*no second attempt"):
        info(guarded())
    for _run in range(2):
        info(guarded())
    codes = [fields["otp_code"] for fields in sent(nas)]
    assert codes == [one_time_code(SECRET, 1111111109 // 30 + later) for later in range(3)]
    assert time.reported == [
        "waited 1 s for the next 2-factor code, since DSM accepts each of them once",
        "waited 30 s for the next 2-factor code, since DSM accepts each of them once",
    ]


def test_a_lost_answer_uses_the_code_up(nas: Nas, guarded: Any, time: Time) -> None:
    nas.answers[LOGIN] = ["drop the connection instead of answering", {"sid": "s"}]
    with pytest.raises(DsmError, match="the connection ended"):
        guarded().link.login()
    info(guarded())
    assert len({fields["otp_code"] for fields in sent(nas)}) == 2


def test_a_clock_that_was_wrong_does_not_wait_for_ever(nas: Nas, guarded: Any, time: Time) -> None:
    info(guarded())
    time.now -= 86400
    info(guarded())
    assert (time.reported, len(sent(nas))) == ([], 2)


@pytest.mark.parametrize("code", [403, 404])
def test_a_device_that_the_nas_forgot_is_removed_and_a_code_sent_by_the_next_run(
    nas: Nas, guarded: Any, code: int
) -> None:
    nas.answers[LOGIN] = [{"sid": "s", "device_id": "old"}, code, {"sid": "t", "device_id": "new"}, {"sid": "u"}]
    info(guarded())
    with pytest.raises(DsmError, match=rf"code {code} .*rejected the token in device file .*device.json.*run again"):
        info(guarded())
    assert len(sent(nas)) == 2, "no second login in this run"
    info(guarded())
    info(guarded())
    assert [fields.get("device_id") for fields in sent(nas)] == [None, "old", None, "new"]


@pytest.mark.parametrize("code", [400, 401, 402, 406, 407, 408, 409, 410, 411])
def test_other_refusals_keep_the_device(nas: Nas, guarded: Any, code: int) -> None:
    nas.answers[LOGIN] = [{"sid": "s", "device_id": "token"}, code, {"sid": "t"}]
    info(guarded())
    with pytest.raises(ApiError):
        info(guarded())
    info(guarded())
    assert sent(nas)[-1]["device_id"] == "token"


def test_a_client_logs_in_once_whatever_asks_it_again(nas: Nas, guarded: Any) -> None:
    nas.answers[LOGIN] = [404, {"sid": "s"}]
    with guarded() as client:
        for _call in range(2):
            with pytest.raises(ApiError, match="code 404"):
                client.read(Call("SYNO.DSM.Info", "getinfo", 2))
    assert len(sent(nas)) == 1


def test_a_session_lost_in_a_play_is_renewed_with_another_code(nas: Nas, guarded: Any, tmp_path: Path) -> None:
    nas.answers["SYNO.DSM.Info.getinfo"] = [106, {"serial": "1"}]
    assert info(guarded(session_file=tmp_path / "session.json")) == {"serial": "1"}
    assert len({fields["otp_code"] for fields in sent(nas)}) == 2


def test_without_a_secret_the_next_step_is_named(nas: Nas, guarded: Any) -> None:
    nas.answers[LOGIN] = [403]
    with pytest.raises(ApiError, match="Set otp_secret and device_file"):
        info(guarded(secret=None))
    assert sent(nas) == [{}]


def test_the_secret_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(DsmError, match="otp_secret needs device_file"):
        SecondFactor("tars-admin", SECRET)
    with pytest.raises(DsmError, match="invalid otp_secret: expected a base32"):
        SecondFactor("tars-admin", "123456", str(tmp_path / "file"))


@pytest.mark.parametrize("content", ["", "[]", '{"tars-admin": 1}', '{"other": {"id": "theirs", "name": "x"}}'])
def test_what_else_is_in_the_file_is_no_device_of_the_account(
    nas: Nas, guarded: Any, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "keys" / "device.json"
    file.parent.mkdir()
    file.write_text(content)
    file.chmod(0o600)
    nas.answers[LOGIN] = [{"sid": "s", "device_id": "ours"}]
    info(guarded())
    assert "otp_code" in sent(nas)[0]
    kept = json.loads(file.read_text())
    assert kept["tars-admin"]["id"] == "ours"
    assert "other" not in content or kept["other"]["id"] == "theirs"


def test_a_device_that_others_can_read_is_refused(guarded: Any, nas: Nas, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "device.json"
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o640)
    with pytest.raises(DsmError, match=r"device.json .* mode 0640.*Remove the file"):
        info(guarded())
    assert sent(nas) == []
