# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, groups and their access to shares: read them as the planners' values, and write one change."""

from __future__ import annotations

from collections.abc import Iterable

from .. import calls
from ..client.client import Client, Read
from ..plans import account as account_plan
from ..plans import permission as permission_plan

_WHOLE = {"offset": 0, "limit": -1}
_GROUPS = Read(calls.GROUP_LIST, {**_WHOLE, "type": "local"})
_USERS = Read(calls.USER_LIST, {**_WHOLE, "type": "local", "additional": ["description", "email", "expired"]})
_USER_CALLS = {"create": calls.USER_CREATE, "update": calls.USER_SET}
_GROUP_CALLS = {"create": calls.GROUP_CREATE, "update": calls.GROUP_SET}
_MEMBER_CALLS = {"add": calls.MEMBER_ADD, "remove": calls.MEMBER_REMOVE}


def directory(client: Client) -> account_plan.Directory:
    """Return every local user and group. The members of the group that everybody belongs to are not read."""
    answers = client.read_all({"groups": _GROUPS, "users": _USERS})
    groups = {group.name: group for group in map(account_plan.group_from_row, answers["groups"]["groups"])}
    members = client.read_all(
        {
            name: Read(calls.MEMBER_LIST, {"group": name, "ingroup": True}, f"group {name}")
            for name in groups
            if name != account_plan.EVERYBODY
        }
    )
    memberships: dict[str, list[str]] = {}
    for name, answer in members.items():
        for row in answer["users"]:
            memberships.setdefault(row["name"], []).append(name)
    users = [account_plan.user_from_row(row, memberships.get(row["name"], ())) for row in answers["users"]["users"]]
    return account_plan.Directory({user.name: user for user in users}, groups)


def change_account(client: Client, change: account_plan.Change) -> None:
    """Create, change or delete a user or a group, or change a membership."""
    if isinstance(change, account_plan.MemberChange):
        payload = {"group": change.group, "name": [change.user]}
        client.write(_MEMBER_CALLS[change.action], payload, f"group {change.group}")
    elif isinstance(change, account_plan.GroupChange):
        group = change.group
        subject = f"group {group.name}"
        if change.action == "delete":
            client.write(calls.GROUP_DELETE, {"name": [group.name]}, subject)
        else:
            payload = {"name": group.name, "description": group.description}
            client.write(_GROUP_CALLS[change.action], payload, subject)
    else:
        subject = f"user {change.user.name}"
        if change.action == "delete":
            client.write(calls.USER_DELETE, {"name": [change.user.name]}, subject)
        else:
            client.write(_USER_CALLS[change.action], account_plan.to_params(change), subject)


def permissions(client: Client, shares: Iterable[str]) -> permission_plan.Permissions:
    """Return the access of every local user and group to each of these shares, which must exist."""
    entries: dict[str, dict[permission_plan.Principal, permission_plan.Entry]] = {share: {} for share in shares}
    params = {**_WHOLE, "action": "enum", "with_inherit": True}
    answers = client.read_all(
        {
            (share, kind): Read(
                calls.PERMISSION_LIST, {**params, "name": share, "user_group_type": dsm_kind}, f"share {share}"
            )
            for share in entries
            for kind, dsm_kind in permission_plan.KINDS.items()
        }
    )
    for (share, kind), answer in answers.items():
        entries[share].update(permission_plan.entry_from_row(kind, row) for row in answer["items"])
    return entries


def change_permissions(client: Client, change: permission_plan.Change) -> None:
    """Write the changed entries of a share: one call for users, one for groups."""
    for kind, dsm_kind in permission_plan.KINDS.items():
        rows = permission_plan.to_rows(change, kind)
        if rows:
            payload = {"name": change.share, "user_group_type": dsm_kind, "permissions": rows}
            client.write(calls.PERMISSION_SET, payload, f"the access to share {change.share}")
