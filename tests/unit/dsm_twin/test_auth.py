# SPDX-License-Identifier: GPL-3.0-or-later
"""Login, sessions and their errors."""

from __future__ import annotations

from typing import Any

import pytest

from tars_lab.dsm_twin.accounts import one_time_code

INFO = ("SYNO.DSM.Info", "getinfo", 2)


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("nobody", 400),
        ("off", 401),
        ("files", 402),
        ("guarded", 403),
        ("unenrolled", 406),
        ("fixed", 408),
        ("expired", 409),
        ("change", 410),
        ("locked", 411),
        ("child", 0),
    ],
)
def test_login_answers_with_the_code_of_the_account(stranger: Any, account: str, code: int) -> None:
    assert stranger.login_code(account=account, passwd="p", session="DSM") == code


def test_a_session_name_that_the_account_can_use(stranger: Any) -> None:
    assert stranger.login_code(account="files", passwd="p", session="FileStation") == 0


def test_login_fields(stranger: Any) -> None:
    assert stranger.code("SYNO.API.Auth", "login", 7, account="tars-admin") == 101
    assert stranger.login_code(account='"tars-admin"') == 400, "its parameters are not JSON"


@pytest.mark.parametrize(("version", "code"), [(3, 0), (6, 0), (7, 0), (5, 103), (8, 104), (0, 104)])
def test_login_versions(stranger: Any, version: int, code: int) -> None:
    assert stranger.code("SYNO.API.Auth", "login", version, account="tars-admin", passwd="right") == code


def test_login_data(stranger: Any) -> None:
    seven, six = stranger.login(7), stranger.login(6, enable_syno_token="yes")
    assert seven["account"] == "tars-admin" and "synotoken" not in seven and "device_id" not in seven
    assert six["did"] and six["synotoken"] and "account" not in six


def test_too_many_failures_block_the_address(nas: Any, start: Any, caller_at: Any) -> None:
    guesser, other = caller_at(nas, "10.77.0.66"), caller_at(nas, "10.77.0.7")
    assert [guesser.login_code(passwd="wrong") for _ in range(4)] == [400, 400, 400, 407]
    assert guesser.login_code() == 407, "the right password does not help"
    assert other.login_code() == 0
    restarted = caller_at(start(), "10.77.0.66")
    assert restarted.login_code() == 407
    nas.faults.add("unblock")
    assert guesser.login_code() == 0


def test_old_failures_do_not_count(stranger: Any, clock: Any) -> None:
    for _ in range(4):
        assert stranger.login_code(passwd="wrong") == 400
        clock.now += 200


def test_one_time_code_and_device(stranger: Any, clock: Any) -> None:
    credentials = {"account": "guarded", "passwd": "p"}
    code = one_time_code("JBSWY3DPEHPK3PXP", clock.now)
    assert stranger.login_code(**credentials, otp_code="000000") == 404
    data = stranger.login(7, "guarded", "p", otp_code=code, enable_device_token="yes", device_name="controller")
    assert stranger.login_code(**credentials, otp_code=code) == 404, "a code is valid once"
    known = {"device_id": data["device_id"]}
    assert stranger.login_code(**credentials, **known, device_name="controller") == 0
    assert stranger.login_code(**credentials, **known, device_name="other") == 403


@pytest.mark.parametrize(
    ("fault", "code"), [("otp_enforced", 406), ("password_expired", 409), ("password_must_change", 410)]
)
def test_faults_of_an_account(nas: Any, stranger: Any, fault: str, code: int) -> None:
    nas.faults.add(fault)
    assert stranger.login_code(passwd="wrong") == 400, "the password is checked first"
    assert stranger.login_code() == code
    assert stranger.login_code() == 0


def test_an_account_with_a_second_factor_counts_as_enrolled(nas: Any, stranger: Any, clock: Any) -> None:
    nas.faults.add("otp_enforced")
    code = one_time_code("JBSWY3DPEHPK3PXP", clock.now)
    assert stranger.login_code(account="guarded", passwd="p", otp_code=code) == 0


def test_wrong_codes_block_the_address(stranger: Any) -> None:
    codes = [stranger.login_code(account="guarded", passwd="p", otp_code="000000") for _ in range(4)]
    assert codes == [404, 404, 404, 407]


def test_one_time_code_of_rfc_6238() -> None:
    # Appendix B, SHA-1, last six of eight digits; the secret is "12345678901234567890".
    assert one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1111111109) == "081804"
    assert one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59) == "287082"


def test_a_requested_token_is_required(stranger: Any) -> None:
    token = stranger.login(enable_syno_token="yes")["synotoken"]
    assert stranger.code(*INFO) == 0
    del stranger.session["SynoToken"]
    assert stranger.code(*INFO) == 119
    stranger.http.headers["X-SYNO-TOKEN"] = token
    assert stranger.code(*INFO) == 0
    del stranger.http.headers["X-SYNO-TOKEN"]
    assert stranger.code(*INFO, raw={"SynoToken": "é"}) == 119


def test_session_as_cookie(stranger: Any) -> None:
    stranger.login(format="cookie")
    stranger.session = {}
    assert stranger.http.cookies["id"]
    assert stranger.code(*INFO) == 0


def test_session_errors(nas: Any, dsm: Any, stranger: Any, caller_at: Any, clock: Any) -> None:
    assert stranger.code(*INFO) == 119
    assert dsm.code(*INFO, raw={"_sid": "invented"}) == 119
    other_address = caller_at(nas, "10.77.0.99")
    other_address.session = dsm.session
    assert other_address.code(*INFO) == 150
    clock.now += 14 * 60
    assert dsm.code(*INFO) == 0
    clock.now += 16 * 60
    assert dsm.code(*INFO) == 106
    assert dsm.code(*INFO) == 119


def test_logout_ends_the_session(dsm: Any) -> None:
    assert dsm.code("SYNO.API.Auth", "logout", 7) == 0
    assert dsm.code(*INFO) == 119


def test_access_of_an_ordinary_account(stranger: Any) -> None:
    stranger.login(account="child", passwd="p")
    assert stranger.code(*INFO) == 0
    assert stranger.code("SYNO.Core.Share", "list") == 105
    assert stranger.create("docs") == 119


def test_an_ipv4_caller_on_an_ipv6_socket_is_the_same(nas: Any, dsm: Any, caller_at: Any) -> None:
    mapped = caller_at(nas, "::ffff:10.77.0.1")
    mapped.session = dsm.session
    assert mapped.code(*INFO) == 0
