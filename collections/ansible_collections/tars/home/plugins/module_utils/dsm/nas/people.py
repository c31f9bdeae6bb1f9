# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, groups and their access to shares as the planners' values: reading them, and carrying out one change."""

from __future__ import annotations

from collections.abc import Iterable

from ..client.client import Client, Read
from ..plans import account as account_plan
from ..plans import permission as permission_plan

USER = "SYNO.Core.User"
GROUP = "SYNO.Core.Group"
MEMBER = "SYNO.Core.Group.Member"
PERMISSION = "SYNO.Core.Share.Permission"
_WHOLE = {"offset": 0, "limit": -1}
_GROUPS = Read(GROUP, "list", 1, {**_WHOLE, "type": "local"})
_USERS = Read(USER, "list", 1, {**_WHOLE, "type": "local", "additional": ["description", "email", "expired"]})


def directory(client: Client) -> account_plan.Directory:
    """Every local user and group; what everybody belongs to is not asked for."""
    found = client.read_all({"groups": _GROUPS, "users": _USERS})
    groups = {group.name: group for group in map(account_plan.group_from_row, found["groups"]["groups"])}
    members = client.read_all(
        {
            name: Read(MEMBER, "list", 1, {"group": name, "ingroup": True}, f"group {name}")
            for name in groups
            if name != account_plan.EVERYBODY
        }
    )
    belonging: dict[str, list[str]] = {}
    for name, answer in members.items():
        for row in answer["users"]:
            belonging.setdefault(row["name"], []).append(name)
    users = [account_plan.user_from_row(row, belonging.get(row["name"], ())) for row in found["users"]["users"]]
    return account_plan.Directory({user.name: user for user in users}, groups)


def change_account(client: Client, change: account_plan.Change) -> None:
    if isinstance(change, account_plan.MemberChange):
        subject = f"group {change.group}"
        client.write(MEMBER, change.action, 1, {"group": change.group, "name": [change.user]}, subject)
    elif isinstance(change, account_plan.GroupChange):
        group = change.group
        subject = f"group {group.name}"
        if change.action == "delete":
            client.write(GROUP, "delete", 1, {"name": [group.name]}, subject)
        else:
            method = "create" if change.action == "create" else "set"
            client.write(GROUP, method, 1, {"name": group.name, "description": group.description}, subject)
    else:
        subject = f"user {change.user.name}"
        if change.action == "delete":
            client.write(USER, "delete", 1, {"name": [change.user.name]}, subject)
        else:
            method = "create" if change.action == "create" else "set"
            client.write(USER, method, 1, account_plan.to_params(change), subject)


def permissions(client: Client, shares: Iterable[str]) -> permission_plan.Permissions:
    """What every local user and group may do in each of these existing shares."""
    found: dict[str, dict[permission_plan.Principal, permission_plan.Entry]] = {share: {} for share in shares}
    asked = {**_WHOLE, "action": "enum", "with_inherit": True}
    answers = client.read_all(
        {
            (share, kind): Read(
                PERMISSION, "list", 1, {**asked, "name": share, "user_group_type": theirs}, f"share {share}"
            )
            for share in found
            for kind, theirs in permission_plan.KINDS.items()
        }
    )
    for (share, kind), answer in answers.items():
        found[share].update(permission_plan.entry_from_row(kind, row) for row in answer["items"])
    return found


def change_permissions(client: Client, change: permission_plan.Change) -> None:
    for kind, theirs in permission_plan.KINDS.items():
        rows = permission_plan.to_rows(change, kind)
        if rows:
            asked = {"name": change.share, "user_group_type": theirs, "permissions": rows}
            client.write(PERMISSION, "set", 1, asked, f"the access to share {change.share}")
