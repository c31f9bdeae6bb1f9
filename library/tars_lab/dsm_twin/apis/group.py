# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Group and its Member: groups and their members; created groups also exist on the machine."""

from __future__ import annotations

from typing import Any

from tars_lab.dsm_twin.apis.user import BAD_PARAMETER, NAME, NO_SUCH_USER
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.principals import BUILT_IN_GROUPS, EVERYBODY, members
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NO_SUCH_GROUP = 3204
TAKEN = 3206
BAD_NAME = 3208
LAST_ADMINISTRATOR = 3210


def list_groups(call: Call) -> object:
    """Return the groups, `limit` of them from `offset` on."""
    if call.params.text("type", "local", bare=True) != "local":
        raise invalid("type", "condition")
    offset, limit = call.params.integer("offset", 0), call.params.integer("limit", -1)
    names = sorted(call.nas.state.data["groups"], key=str.casefold)
    chosen = names[offset:] if limit < 0 else names[offset : offset + limit]
    return {"groups": [_row(call.nas, name) for name in chosen], "offset": offset, "total": len(names)}


def get_group(call: Call) -> object:
    """Return one group."""
    return {"groups": [_row(call.nas, _known(call.nas, _name(call)))]}


def _row(nas: Nas, name: str) -> dict[str, Any]:
    return {"name": name, "description": nas.state.data["groups"][name]["description"]}


def create(call: Call) -> object:
    """Create a group without members."""
    nas, name = call.nas, _name(call)
    _check_name(nas, name)
    with nas.state.change() as data:
        data["groups"][name] = {"description": _description(call, ""), "members": []}
        _write(nas, data)
    return {"name": name}


def set_group(call: Call) -> object:
    """Change the description or the name of a group."""
    nas = call.nas
    name = _known(nas, _name(call))
    new = call.params.text("new_name", name, bare=True)
    if new != name:
        if name in BUILT_IN_GROUPS:
            raise DsmError(BAD_PARAMETER)
        _check_name(nas, new, but=name)
    with nas.state.change() as data:
        group = data["groups"].pop(name)
        data["groups"][new] = group | {"description": _description(call, group["description"])}
        if new != name:
            for grants in data["permissions"].values():
                if name in grants["local_group"]:
                    grants["local_group"][new] = grants["local_group"].pop(name)
            _write(nas, data)
    return {"name": new}


def delete(call: Call) -> object:
    """Delete one group or a list of groups."""
    nas = call.nas
    value = call.params.value("name", object, bare=True, missing=BAD_PARAMETER)
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name not in BUILT_IN_GROUPS for name in names):
        raise DsmError(BAD_PARAMETER)
    for name in names:
        _known(nas, name)
    with nas.state.change() as data:
        for name in dict.fromkeys(names):
            del data["groups"][name]
            for grants in data["permissions"].values():
                grants["local_group"].pop(name, None)
        _write(nas, data)
    return None


def list_members(call: Call) -> object:
    """Return the members of a group, or with `ingroup` false all other users."""
    group = _known(call.nas, call.params.text("group", bare=True, missing=BAD_PARAMETER))
    data = call.nas.state.data
    inside = members(data, group)
    names = inside if call.params.flag("ingroup", True) else sorted(set(data["users"]) - set(inside))
    users = [{"name": name, "description": data["users"][name]["description"]} for name in names]
    return {"offset": 0, "total": len(users), "users": users}


def add(call: Call) -> object:
    """Add users to a group."""
    group, names = _membership(call)
    _set_members(call.nas, group, set(members(call.nas.state.data, group)) | names)
    return None


def remove(call: Call) -> object:
    """Remove users from a group, but never the last enabled administrator."""
    group, names = _membership(call)
    left = set(members(call.nas.state.data, group)) - names
    enabled = [name for name in left if call.nas.state.data["users"][name]["expired"] != "now"]
    if group == "administrators" and not enabled:
        raise DsmError(LAST_ADMINISTRATOR)
    _set_members(call.nas, group, left)
    return None


def _membership(call: Call) -> tuple[str, set[str]]:
    group = _known(call.nas, call.params.text("group", bare=True, missing=BAD_PARAMETER))
    value = call.params.value("name", object, bare=True, missing=BAD_PARAMETER)
    names = value if isinstance(value, list) else [value]
    if group == EVERYBODY or not all(isinstance(name, str) for name in names):
        raise DsmError(BAD_PARAMETER)
    if not set(names) <= call.nas.state.data["users"].keys():
        raise DsmError(NO_SUCH_USER)
    return group, set(names)


def _set_members(nas: Nas, group: str, names: set[str]) -> None:
    with nas.state.change() as data:
        data["groups"][group]["members"] = sorted(names)
        _write(nas, data)


def _write(nas: Nas, data: dict[str, Any]) -> None:
    try:
        nas.write_principals(data)
    except FileExistsError as error:
        raise DsmError(TAKEN) from error


def _name(call: Call) -> str:
    return call.params.text("name", bare=True, missing=BAD_PARAMETER)


def _description(call: Call, default: str) -> str:
    return call.params.text("description", default, bare=True)


def _known(nas: Nas, name: str) -> str:
    if name not in nas.state.data["groups"]:
        raise DsmError(NO_SUCH_GROUP)
    return name


def _check_name(nas: Nas, name: str, but: str | None = None) -> None:
    if not NAME.fullmatch(name):
        raise DsmError(BAD_NAME)
    if name.casefold() in (taken.casefold() for taken in nas.state.data["groups"] if taken != but):
        raise DsmError(TAKEN)


APIS = [
    Api(
        "SYNO.Core.Group",
        1,
        1,
        {
            "list": Method(list_groups, versions(1)),
            "get": Method(get_group, versions(1)),
            "create": Method(create, versions(1), write=True),
            "set": Method(set_group, versions(1), write=True),
            "delete": Method(delete, versions(1), write=True),
        },
    ),
    Api(
        "SYNO.Core.Group.Member",
        1,
        1,
        {
            "list": Method(list_members, versions(1)),
            "add": Method(add, versions(1), write=True),
            "remove": Method(remove, versions(1), write=True),
        },
    ),
]
