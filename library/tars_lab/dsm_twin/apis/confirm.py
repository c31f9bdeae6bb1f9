# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.User.PasswordConfirm: the caller's password again, for changes that could give all rights on the NAS."""

from __future__ import annotations

import secrets

from tars_lab.dsm_twin import principals
from tars_lab.dsm_twin.accounts import password_matches
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

TOKEN = "SynoConfirmPWToken"  # noqa: S105  # the name of the field
WRONG = 400
"""Error of a wrong password. Assumed: it was never observed."""


def auth(call: Call) -> object:
    """Return a token for one privileged change in this session. DSM's lifetime is unknown; it works once."""
    account = principals.account(call.nas.factory, call.nas.state.data, call.caller.account)
    if account is None or not password_matches(call.params.text("password", bare=True), account.password_hash):
        raise DsmError(WRONG)
    token = secrets.token_urlsafe(24)
    call.nas.tasks[_key(call)] = token
    return {TOKEN: token}


def consume_token(call: Call) -> None:
    """Use the session's token. Raises DsmError 120 for a call without a token, or with another one."""
    token = call.params.text(TOKEN, bare=True)
    if not token or call.nas.tasks.pop(_key(call), "") != token:
        raise invalid(TOKEN, "condition")


def _key(call: Call) -> str:
    return f"{TOKEN} {call.caller.sid}"


APIS = [Api("SYNO.Core.User.PasswordConfirm", 1, 2, {"auth": Method(auth, versions(2))})]
