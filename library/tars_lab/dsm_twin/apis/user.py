# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.User: accounts; a created one also exists on the machine, as a user without a shell."""

from __future__ import annotations

import json
import re
from typing import Any

from tars_lab.dsm_twin.accounts import hash_password, password_matches
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.principals import BUILT_IN_USERS, FIELDS
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

BAD_PARAMETER = 3103
NO_SUCH_USER = 3106
TAKEN = 3107
BAD_PASSWORD = 3121
USED_BEFORE = 3122
WEAK_PASSWORD = 3123
SHORTEST_PASSWORD = 8
"""Minimum length of the password policy. Assumed."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
"""Names that both DSM and Debian accept."""

EXPIRED = re.compile(r"normal|now|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}")
ADDITIONAL = ("description", "email", "expired", "passwd_never_expire", "cannot_chg_passwd")


def list_users(call: Call) -> object:
    """Return the users, `limit` of them from `offset` on."""
    params = call.params
    if params.text("type", "local", bare=True) != "local":
        raise invalid("type", "condition")
    offset, limit = params.integer("offset", 0), params.integer("limit", -1)
    names = sorted(call.nas.state.data["users"], key=str.casefold)
    chosen = names[offset:] if limit < 0 else names[offset : offset + limit]
    return {"users": [_row(call, name) for name in chosen], "offset": offset, "total": len(names)}


def get_user(call: Call) -> object:
    """Return one user."""
    return {"users": [_row(call, _known(call.nas, call.params.text("name", bare=True, missing=BAD_PARAMETER)))]}


def _row(call: Call, name: str) -> dict[str, Any]:
    """Return the name and the fields of `additional`, which is ignored unless it is a JSON array."""
    try:
        additional = json.loads(call.params.raw("additional", "[]"))
    except ValueError:
        additional = []
    requested = additional if isinstance(additional, list) else []
    record = call.nas.state.data["users"][name]
    return {"name": name} | {field: record[field] for field in ADDITIONAL if field in requested}


def create(call: Call) -> object:
    """Create a user."""
    nas, params = call.nas, call.params
    name = params.text("name", bare=True, missing=BAD_PARAMETER)
    password = params.text("password", bare=True, missing=BAD_PARAMETER)
    _check_name(nas, name)
    _check_password(name, password)
    record = {key: default for key, (_, default) in FIELDS.items()} | _fields(call)
    record["password_hash"] = hash_password(password)
    with nas.state.change() as data:
        data["users"][name] = record
        _write(nas, data)
    return {"name": name}


def set_user(call: Call) -> object:
    """Change the settings that are sent. Unknown fields are ignored; `disabled` is one of them."""
    nas, params = call.nas, call.params
    name = _known(nas, params.text("name", bare=True, missing=BAD_PARAMETER))
    new = params.text("new_name", name, bare=True)
    if new != name:
        if name in BUILT_IN_USERS or name in nas.factory.accounts:
            raise DsmError(BAD_PARAMETER)
        _check_name(nas, new, but=name)
    record = nas.state.data["users"][name] | _fields(call)
    if "password" in params:
        password = params.text("password", bare=True)
        _check_password(new, password)
        if record["password_hash"] and password_matches(password, record["password_hash"]):
            raise DsmError(USED_BEFORE)
        record["password_hash"] = hash_password(password)
    with nas.state.change() as data:
        del data["users"][name]
        data["users"][new] = record
        if new != name:
            _rename(data, name, new)
            _write(nas, data)
    return {"name": new}


def delete(call: Call) -> object:
    """Delete one user or a list of users."""
    nas = call.nas
    value = call.params.value("name", object, bare=True, missing=BAD_PARAMETER)
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise DsmError(BAD_PARAMETER)
    for name in names:
        # Whether an administrator can delete the account of the current session was not observed.
        if _known(nas, name) in BUILT_IN_USERS or name == call.caller.account:
            raise DsmError(BAD_PARAMETER)
    with nas.state.change() as data:
        for name in dict.fromkeys(names):
            del data["users"][name]
            _rename(data, name, None)
        _write(nas, data)
    return None


def _fields(call: Call) -> dict[str, Any]:
    """Return the settings that were sent. Raises DsmError 3103 for invalid ones."""
    try:
        sent: dict[str, Any] = {
            key: call.params.value(key, kind, bare=kind is str)
            for key, (kind, _) in FIELDS.items()
            if key in call.params
        }
    except DsmError as error:
        raise DsmError(BAD_PARAMETER) from error
    if not EXPIRED.fullmatch(sent.get("expired", "normal")):
        raise DsmError(BAD_PARAMETER)
    return sent


def _rename(data: dict[str, Any], name: str, new: str | None) -> None:
    """Rename a user in groups and permissions, or remove it from them (None)."""
    for group in data["groups"].values():
        if name in group["members"]:
            group["members"] = sorted({*group["members"], new or name} - {name})
    for grants in data["permissions"].values():
        access = grants["local_user"].pop(name, None)
        if new and access:
            grants["local_user"][new] = access


def _write(nas: Nas, data: dict[str, Any]) -> None:
    try:
        nas.write_principals(data)
    except FileExistsError as error:
        raise DsmError(TAKEN) from error


def _known(nas: Nas, name: str) -> str:
    if name not in nas.state.data["users"]:
        raise DsmError(NO_SUCH_USER)
    return name


def _check_name(nas: Nas, name: str, but: str | None = None) -> None:
    if not NAME.fullmatch(name):
        raise DsmError(BAD_PARAMETER)
    if name.casefold() in (taken.casefold() for taken in nas.state.data["users"] if taken != but):
        raise DsmError(TAKEN)


def _check_password(name: str, password: str) -> None:
    if not password:
        raise DsmError(BAD_PASSWORD)
    if len(password) < SHORTEST_PASSWORD or name.casefold() in password.casefold():
        raise DsmError(WEAK_PASSWORD)


APIS = [
    Api(
        "SYNO.Core.User",
        1,
        1,
        {
            "list": Method(list_users, versions(1)),
            "get": Method(get_user, versions(1)),
            "create": Method(create, versions(1), write=True),
            "set": Method(set_user, versions(1), write=True),
            "delete": Method(delete, versions(1), write=True),
        },
    )
]
