# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups: the built-in ones of DSM, and those created later, which also exist on the machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from tars_lab.dsm_twin.accounts import Account

if TYPE_CHECKING:
    from tars_lab.dsm_twin.nas import Factory

BUILT_IN_USERS = ("admin", "guest")
BUILT_IN_GROUPS = {
    "administrators": "System default admin group",
    "http": "System default group for Web services",
    "users": "System default group",
}
EVERYBODY = "users"
"""The group of all users, which no user can leave."""

NO_LOGIN_OPTIONS = (
    "--no-create-home",
    "--no-user-group",
    "--gid=users",
    "--shell=/usr/sbin/nologin",
    "--home-dir=/nonexistent",
)

MANAGED = range(20_000, 30_000)
"""Ids of the machine's users and groups that belong to DSM; all others belong to Debian."""

FIELDS: dict[str, tuple[type, Any]] = {
    "description": (str, ""),
    "email": (str, ""),
    "expired": (str, "normal"),
    "cannot_chg_passwd": (bool, False),
    "passwd_never_expire": (bool, True),
}


def seed(factory: Factory) -> dict[str, Any]:
    """Return `users` and `groups` of a new NAS's state; `admin` and `guest` exist and are disabled."""
    record = {key: default for key, (_, default) in FIELDS.items()} | {"password_hash": ""}
    users = {name: record | {"expired": "now"} for name in BUILT_IN_USERS}
    users |= {name: dict(record) for name in factory.accounts}
    groups: dict[str, Any] = {
        name: {"description": description, "members": []} for name, description in BUILT_IN_GROUPS.items()
    }
    administrators = [account.name for account in factory.accounts.values() if account.administrator]
    groups["administrators"]["members"] = sorted({"admin", *administrators})
    return {"users": users, "groups": groups}


def account(factory: Factory, data: Mapping[str, Any], name: str) -> Account | None:
    """Return the account `name`, None if it does not exist or has no password.

    A password that was set later replaces that of the factory file.
    """
    record = data["users"].get(name)
    if record is None:
        return None
    original = factory.accounts.get(name)
    password_hash = record["password_hash"] or (original.password_hash if original else "")
    if not password_hash:
        return None
    status = original.status if original else "normal"
    return Account(
        name=name,
        password_hash=password_hash,
        administrator=name in data["groups"]["administrators"]["members"],
        status="disabled" if record["expired"] == "now" else status,
        applications=original.applications if original else None,
        otp_secret=original.otp_secret if original else "",
    )


def members(data: Mapping[str, Any], group: str) -> list[str]:
    """Return the names of a group's members."""
    return sorted(data["users"] if group == EVERYBODY else data["groups"][group]["members"])


def machine_principals(factory: Factory, data: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the users and groups that were created through the Web API, which the machine must have."""
    users = sorted(name for name in data["users"] if name not in BUILT_IN_USERS and name not in factory.accounts)
    groups = {
        name: [member for member in group["members"] if member in users]
        for name, group in sorted(data["groups"].items())
        if name not in BUILT_IN_GROUPS
    }
    return users, groups


def commands_for(
    passwd: str, group: str, users: Collection[str], groups: Mapping[str, Collection[str]]
) -> list[list[str]]:
    """Return the commands that change a machine with these `/etc/passwd` and `/etc/group` to `users` and `groups`.

    Users get no home, no shell and no password. Raises FileExistsError for a name that belongs to Debian.
    """
    user_ids = {row[0]: int(row[2]) for row in _rows(passwd)}
    group_ids = {row[0]: int(row[2]) for row in _rows(group)}
    current_members = {row[0]: {name for name in row[3].split(",") if name} for row in _rows(group)}
    for name, number in [
        *((name, user_ids.get(name)) for name in users),
        *((name, group_ids.get(name)) for name in groups),
    ]:
        if number is not None and number not in MANAGED:
            raise FileExistsError(name)
    deleted_users = [name for name, number in user_ids.items() if number in MANAGED and name not in users]
    deleted_groups = [name for name, number in group_ids.items() if number in MANAGED and name not in groups]
    first, last = str(MANAGED[0]), str(MANAGED[-1])
    commands = [["userdel", name] for name in deleted_users] + [["groupdel", name] for name in deleted_groups]
    commands += [
        ["groupadd", "--key", f"GID_MIN={first}", "--key", f"GID_MAX={last}", name]
        for name in groups
        if name not in group_ids
    ]
    commands += [
        ["useradd", "--key", f"UID_MIN={first}", "--key", f"UID_MAX={last}", *NO_LOGIN_OPTIONS, name]
        for name in users
        if name not in user_ids
    ]
    commands += [
        ["gpasswd", "--members", ",".join(sorted(wanted)), name]
        for name, wanted in groups.items()
        if set(wanted) != current_members.get(name, set()) - set(deleted_users)
    ]
    return commands


def _rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line and line[0] not in "+-#"]
