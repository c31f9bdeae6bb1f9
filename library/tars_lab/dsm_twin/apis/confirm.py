# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.User.PasswordConfirm: the caller's password once more, for what would give all rights on the NAS."""

from __future__ import annotations

import secrets

from tars_lab.dsm_twin import people
from tars_lab.dsm_twin.accounts import password_matches
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

TOKEN = "SynoConfirmPWToken"
WRONG = 400
"""Assumed: what a wrong password gets here was never observed."""


def auth(call: Call) -> object:
    """A token for one privileged change in this session. How long DSM's lasts is unknown, so this one serves once."""
    account = people.account(call.nas.factory, call.nas.state.data, call.caller.account)
    if account is None or not password_matches(call.params.text("password", bare=True), account.password_hash):
        raise DsmError(WRONG)
    token = secrets.token_urlsafe(24)
    call.nas.tasks[_key(call)] = token
    return {TOKEN: token}


def spend(call: Call) -> None:
    """Use up the session's token; 120 for a call that brings none, or another."""
    given = call.params.text(TOKEN, bare=True)
    if not given or call.nas.tasks.pop(_key(call), "") != given:
        raise invalid(TOKEN, "condition")


def _key(call: Call) -> str:
    return f"{TOKEN} {call.caller.sid}"


APIS = [Api("SYNO.Core.User.PasswordConfirm", 1, 2, {"auth": Method(auth, versions(2))})]
