# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups: those DSM comes with, and those made later, which are accounts of the machine as well."""

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
"""The group that every user belongs to and nobody leaves."""

WITHOUT_A_LIFE = (
    "--no-create-home",
    "--no-user-group",
    "--gid=users",
    "--shell=/usr/sbin/nologin",
    "--home-dir=/nonexistent",
)

MANAGED = range(20_000, 30_000)
"""Numbers of the machine's users and groups that are DSM's; all others belong to Debian."""

FIELDS: dict[str, tuple[type, Any]] = {
    "description": (str, ""),
    "email": (str, ""),
    "expired": (str, "normal"),
    "cannot_chg_passwd": (bool, False),
    "passwd_never_expire": (bool, True),
}


def seed(factory: Factory) -> dict[str, Any]:
    """The state's `users` and `groups` of a NAS that was just set up. `admin` and `guest` are there and disabled."""
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
    """Who logs in as `name`; a password that was set later takes the place of the factory's."""
    record = data["users"].get(name)
    if record is None:
        return None
    made = factory.accounts.get(name)
    password_hash = record["password_hash"] or (made.password_hash if made else "")
    if not password_hash:
        return None
    status = made.status if made else "normal"
    return Account(
        name=name,
        password_hash=password_hash,
        administrator=name in data["groups"]["administrators"]["members"],
        status="disabled" if record["expired"] == "now" else status,
        applications=made.applications if made else None,
        otp_secret=made.otp_secret if made else "",
    )


def members(data: Mapping[str, Any], group: str) -> list[str]:
    return sorted(data["users"] if group == EVERYBODY else data["groups"][group]["members"])


def on_the_machine(factory: Factory, data: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Users and groups made through the Web API: what the machine is to have."""
    users = sorted(name for name in data["users"] if name not in BUILT_IN_USERS and name not in factory.accounts)
    groups = {
        name: [member for member in group["members"] if member in users]
        for name, group in sorted(data["groups"].items())
        if name not in BUILT_IN_GROUPS
    }
    return users, groups


def orders(passwd: str, group: str, users: Collection[str], groups: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Commands that bring a machine with these `/etc/passwd` and `/etc/group` to `users` and `groups`.

    Users get no home, no shell and no password. Raises FileExistsError for a name that is Debian's own.
    """
    there = {row[0]: int(row[2]) for row in _rows(passwd)}
    known = {row[0]: int(row[2]) for row in _rows(group)}
    belonging = {row[0]: {name for name in row[3].split(",") if name} for row in _rows(group)}
    for name, number in [*((name, there.get(name)) for name in users), *((name, known.get(name)) for name in groups)]:
        if number is not None and number not in MANAGED:
            raise FileExistsError(name)
    gone = [name for name, number in there.items() if number in MANAGED and name not in users]
    ended = [name for name, number in known.items() if number in MANAGED and name not in groups]
    first, last = str(MANAGED[0]), str(MANAGED[-1])
    commands = [["userdel", name] for name in gone] + [["groupdel", name] for name in ended]
    commands += [
        ["groupadd", "--key", f"GID_MIN={first}", "--key", f"GID_MAX={last}", name]
        for name in groups
        if name not in known
    ]
    commands += [
        ["useradd", "--key", f"UID_MIN={first}", "--key", f"UID_MAX={last}", *WITHOUT_A_LIFE, name]
        for name in users
        if name not in there
    ]
    commands += [
        ["gpasswd", "--members", ",".join(sorted(wanted)), name]
        for name, wanted in groups.items()
        if set(wanted) != belonging.get(name, set()) - set(gone)
    ]
    return commands


def _rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line and line[0] not in "+-#"]
