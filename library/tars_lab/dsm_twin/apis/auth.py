# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.API.Auth: login and logout. Its parameters are bare text, not JSON."""

from __future__ import annotations

import secrets

from tars_lab.dsm_twin import principals
from tars_lab.dsm_twin.accounts import REFUSED, Account, password_matches
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, versions

LOGIN = "SYNO.API.Auth.login"


def login(call: Call) -> object:
    """Open a session. Errors: 101 a field is missing; 400 to 411 as observed; 407 is checked first."""
    nas, params = call.nas, call.params
    _check_block(call)
    if "account" not in params or "passwd" not in params:
        raise DsmError(101)
    account = _authenticated(call)
    _check_status(call, account)
    device = _second_factor(call, account)

    with_token = params.raw("enable_syno_token") == "yes"
    session = nas.sessions.open(account.name, account.administrator, call.address, with_token)
    data = {"sid": session.sid, "is_portal_port": False}
    if with_token:
        data["synotoken"] = session.token
    if call.version >= 7:
        data["account"] = account.name
        if device:
            data["device_id"] = device
    else:
        data["did"] = device or secrets.token_urlsafe(24)
    return data


def _check_block(call: Call) -> None:
    nas = call.nas
    if nas.faults.take("unblock", LOGIN):
        nas.auto_block.forget()
        with nas.state.change() as data:
            data["blocked"] = []
    if call.address in nas.state.data["blocked"] or nas.faults.take("autoblock", LOGIN):
        raise DsmError(407)


def _check_status(call: Call, account: Account) -> None:
    faults = call.nas.faults
    for status, code in REFUSED.items():
        if account.status == status or faults.take(status, LOGIN):
            raise DsmError(code)
    if not account.otp_secret and faults.take("otp_enforced", LOGIN):
        raise DsmError(406)
    if account.applications is not None and call.params.raw("session") not in account.applications:
        raise DsmError(402)


def _authenticated(call: Call) -> Account:
    account = principals.account(call.nas.factory, call.nas.state.data, call.params.raw("account"))
    if account is None or not password_matches(call.params.raw("passwd"), account.password_hash):
        raise _record_failure(call, 400)
    return account


def _second_factor(call: Call, account: Account) -> str:
    """Check the one-time code or the trusted device; return the id of a newly trusted device, else ""."""
    nas, params = call.nas, call.params
    code, device = params.raw("otp_code"), params.raw("device_id")
    name = params.raw("device_name")
    known = nas.state.data["devices"].get(device) == {"account": account.name, "name": name} and bool(device)
    if not known and not code and (account.otp_secret or nas.faults.take("otp_required", LOGIN)):
        raise DsmError(403)
    if known or not account.otp_secret:
        return ""
    if not nas.codes.accept(account, code):
        raise _record_failure(call, 404)
    if params.raw("enable_device_token") != "yes" or not name:
        return ""
    device = secrets.token_urlsafe(24)
    with nas.state.change() as data:
        data["devices"][device] = {"account": account.name, "name": name}
    return device


def _record_failure(call: Call, code: int) -> DsmError:
    """Count a failed login and block the address after too many; return the error."""
    if call.nas.auto_block.failed(call.address):
        with call.nas.state.change() as data:
            data["blocked"] = [*data["blocked"], call.address]
    return DsmError(code)


def logout(call: Call) -> object:
    """Close the session of the call."""
    call.nas.sessions.close(call.caller.sid)
    return None


APIS = [
    Api(
        "SYNO.API.Auth",
        1,
        7,
        {
            "login": Method(login, versions(3, 6, 7), session=False),
            "logout": Method(logout, versions(3, 6, 7)),
        },
        json=False,
    )
]
