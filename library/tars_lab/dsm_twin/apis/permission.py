# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Share.Permission: the access of users and groups to a share. It does not affect NFS clients."""

from __future__ import annotations

from typing import Any

from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.principals import members
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NO_SUCH_SHARE = 402
BAD_INPUT = 403
TABLES = {"local_user": "users", "local_group": "groups"}
FLAGS = {"is_writable": "rw", "is_readonly": "ro", "is_deny": "na"}
STRONGEST = ("na", "rw", "ro")
"""The access that applies when a user's groups have different ones, strongest first."""

ADMINISTRATORS = "administrators"


def list_principals(call: Call) -> object:
    """Return users or groups with their access to a share."""
    nas, params = call.nas, call.params
    share, kind = _share(call), _kind(call)
    if params.text("action", "enum", bare=True) != "enum":
        raise invalid("action", "condition")
    with_inherit = params.flag("with_inherit", False)
    part = params.text("substr", "", bare=True)
    names = sorted(name for name in nas.state.data[TABLES[kind]] if part in name)
    offset, limit = params.integer("offset", 0), params.integer("limit", -1)
    chosen = names[offset:] if limit < 0 else names[offset : offset + limit]
    items = [_row(nas, share, kind, name, with_inherit) for name in chosen]
    return {"items": items, "total": len(names)}


def set_principals(call: Call) -> object:
    """Change the listed entries; one with all three flags false is removed. Administrators keep their access."""
    nas = call.nas
    share, kind = _share(call), _kind(call)
    rows = call.params.value("permissions", list, missing=BAD_INPUT)
    wanted = dict(_entry(nas, kind, row) for row in rows)
    with nas.state.change() as data:
        grants = data["permissions"].setdefault(share, {table: {} for table in TABLES})
        for name, access in wanted.items():
            grants[kind].pop(name, None)
            if access:
                grants[kind][name] = access
    return None


def list_by_user(call: Call) -> object:
    """Return every share with the access that one user or group has by its own entry."""
    nas, kind = call.nas, _kind(call)
    name = call.params.text("name", bare=True)
    call.params.value("share_type", list)
    if name not in nas.state.data[TABLES[kind]]:
        raise DsmError(BAD_INPUT)
    shares = [_row(nas, share, kind, name, True) | {"name": share} for share in sorted(nas.state.data["shares"])]
    return {"shares": shares, "total": len(shares)}


def _row(nas: Nas, share: str, kind: str, name: str, with_inherit: bool) -> dict[str, Any]:
    data = nas.state.data
    group = kind == "local_group"
    administrator = name == ADMINISTRATORS if group else name in data["groups"][ADMINISTRATORS]["members"]
    access = "rw" if administrator and group else _grants(data, share, kind).get(name)
    row = {"name": name} | {flag: access == word for flag, word in FLAGS.items()}
    row |= {"is_custom": False, "is_mask": False, "is_admin": administrator}
    return row | {"inherit": "-" if group else _inherited(data, share, name)} if with_inherit else row


def _inherited(data: dict[str, Any], share: str, user: str) -> str:
    groups = _grants(data, share, "local_group") | {ADMINISTRATORS: "rw"}
    inherited = {access for group, access in groups.items() if user in members(data, group)}
    return next((access for access in STRONGEST if access in inherited), "-")


def _grants(data: dict[str, Any], share: str, kind: str) -> dict[str, str]:
    grants: dict[str, str] = data["permissions"].get(share, {}).get(kind, {})
    return grants


def _entry(nas: Nas, kind: str, row: Any) -> tuple[str, str]:
    """Return name and access of one entry. Raises DsmError 403 if the name is unknown or several flags are true."""
    if not isinstance(row, dict) or row.get("name") not in nas.state.data[TABLES[kind]]:
        raise DsmError(BAD_INPUT)
    flags = [row.get(flag, False) for flag in (*FLAGS, "is_custom")]
    if not all(isinstance(flag, bool) for flag in flags) or sum(flags) > 1 or flags[-1]:
        raise DsmError(BAD_INPUT)
    return row["name"], next((word for flag, word in FLAGS.items() if row.get(flag)), "")


def _share(call: Call) -> str:
    name = call.params.text("name", bare=True)
    if name not in call.nas.state.data["shares"]:
        raise DsmError(NO_SUCH_SHARE)
    return name


def _kind(call: Call) -> str:
    kind = call.params.text("user_group_type", bare=True)
    if kind not in TABLES:
        raise invalid("user_group_type", "condition")
    return kind


APIS = [
    Api(
        "SYNO.Core.Share.Permission",
        1,
        1,
        {
            "list": Method(list_principals, versions(1)),
            "set": Method(set_principals, versions(1), write=True),
            "list_by_user": Method(list_by_user, versions(1)),
        },
        busy=3328,
    )
]
