# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.User: accounts, each made one also a user of the machine, without a shell."""

from __future__ import annotations

import json
import re
from typing import Any

from tars_lab.dsm_twin.accounts import hash_password, password_matches
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.people import BUILT_IN_USERS, FIELDS
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

BAD_PARAMETER = 3103
NO_SUCH_USER = 3106
TAKEN = 3107
BAD_PASSWORD = 3121
USED_BEFORE = 3122
WEAK_PASSWORD = 3123
SHORTEST_PASSWORD = 8
"""Assumed: the length that this NAS's password policy asks for."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
"""Names this NAS takes: those that DSM and Debian both do."""

EXPIRED = re.compile(r"normal|now|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}")
ADDITIONAL = ("description", "email", "expired", "passwd_never_expire", "cannot_chg_passwd")


def list_users(call: Call) -> object:
    params = call.params
    if params.text("type", "local", bare=True) != "local":
        raise invalid("type", "condition")
    offset, limit = params.whole("offset", 0), params.whole("limit", -1)
    names = sorted(call.nas.state.data["users"], key=str.casefold)
    chosen = names[offset:] if limit < 0 else names[offset : offset + limit]
    return {"users": [_row(call, name) for name in chosen], "offset": offset, "total": len(names)}


def get_user(call: Call) -> object:
    return {"users": [_row(call, _known(call.nas, call.params.text("name", bare=True, lost=BAD_PARAMETER)))]}


def _row(call: Call, name: str) -> dict[str, Any]:
    """The name and what `additional` asks for; what is no JSON array of known names is passed over."""
    try:
        asked = json.loads(call.params.raw("additional", "[]"))
    except ValueError:
        asked = []
    record = call.nas.state.data["users"][name]
    return {"name": name} | {field: record[field] for field in ADDITIONAL if isinstance(asked, list) and field in asked}


def create(call: Call) -> object:
    nas, params = call.nas, call.params
    name = params.text("name", bare=True, lost=BAD_PARAMETER)
    password = params.text("password", bare=True, lost=BAD_PARAMETER)
    _check_name(nas, name)
    _check_password(name, password)
    record = {key: default for key, (_, default) in FIELDS.items()} | _fields(call)
    record["password_hash"] = hash_password(password)
    with nas.state.change() as data:
        data["users"][name] = record
        _apply(nas, data)
    return {"name": name}


def set_user(call: Call) -> object:
    """Change what is sent. There is no `disabled`: like every unknown field it is passed over."""
    nas, params = call.nas, call.params
    name = _known(nas, params.text("name", bare=True, lost=BAD_PARAMETER))
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
            _apply(nas, data)
    return {"name": new}


def delete(call: Call) -> object:
    nas = call.nas
    asked = call.params.value("name", object, bare=True, lost=BAD_PARAMETER)
    names = asked if isinstance(asked, list) else [asked]
    if not names or not all(isinstance(name, str) for name in names):
        raise DsmError(BAD_PARAMETER)
    for name in names:
        # Whether DSM lets an administrator delete the account of his own session was not observed.
        if _known(nas, name) in BUILT_IN_USERS or name == call.caller.account:
            raise DsmError(BAD_PARAMETER)
    with nas.state.change() as data:
        for name in dict.fromkeys(names):
            del data["users"][name]
            _rename(data, name, None)
        _apply(nas, data)
    return None


def _fields(call: Call) -> dict[str, Any]:
    """The settings that were sent, each of its type and range: else 3103."""
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
    """Follow a user's new name, or its end (None), where others speak of it."""
    for group in data["groups"].values():
        if name in group["members"]:
            group["members"] = sorted({*group["members"], new or name} - {name})
    for grants in data["permissions"].values():
        access = grants["local_user"].pop(name, None)
        if new and access:
            grants["local_user"][new] = access


def _apply(nas: Nas, data: dict[str, Any]) -> None:
    try:
        nas.apply_people(data)
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
