# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which users and groups to create, change or delete. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ...resource.listed import listed_twice
from ..values import PlanError, text

BUILT_IN_USERS = frozenset(["admin", "guest"])
BUILT_IN_GROUPS = frozenset(["administrators", "http", "users"])
# Every user belongs to it and cannot be removed from it.
EVERYBODY = "users"
CHANGEABLE = ("description", "email", "enabled")


@dataclass(frozen=True)
class User:
    """An account of the NAS. `expires` is a day ("2026/12/31") or empty; `groups` are those besides `users`."""

    name: str
    description: str = ""
    email: str = ""
    enabled: bool = True
    expires: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A group of the NAS."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Directory:
    """All local users and groups by name."""

    users: Mapping[str, User]
    groups: Mapping[str, Group]


@dataclass(frozen=True)
class GroupChange:
    """`action` is create, update or delete."""

    action: str
    group: Group

    def __str__(self) -> str:
        if self.action == "update":
            return f"set description {self.group.description!r} of group {self.group.name}"
        return f"{self.action} group {self.group.name}"


@dataclass(frozen=True)
class UserChange:
    """`action` is create, update or delete; `fields` name what differs. The password is sent where it is not empty."""

    action: str
    user: User
    fields: tuple[str, ...] = ()
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.action != "update":
            return f"{self.action} user {self.user.name}"
        values = [f"{name} {getattr(self.user, name)!r}" for name in self.fields]
        if self.password:
            values.append("the password")
        return f"set {', '.join(values)} of user {self.user.name}"


@dataclass(frozen=True)
class MemberChange:
    """`action` is add or remove."""

    action: str
    user: str
    group: str

    def __str__(self) -> str:
        return f"{self.action} user {self.user} {'to' if self.action == 'add' else 'from'} group {self.group}"


Change = Union[GroupChange, UserChange, MemberChange]


def user_from_row(row: Mapping[str, Any], groups: Sequence[str] = ()) -> User:
    """Return the user of a row of SYNO.Core.User, whose `expired` is "normal", "now" or a day."""
    expired = text(row.get("expired")) or "normal"
    return User(
        name=text(row["name"]),
        description=text(row.get("description")),
        email=text(row.get("email")),
        enabled=expired != "now",
        expires="" if expired in ("normal", "now") else expired,
        groups=tuple(sorted(groups)),
    )


def group_from_row(row: Mapping[str, Any]) -> Group:
    """Return the group of a row of SYNO.Core.Group."""
    return Group(text(row["name"]), text(row.get("description")))


def to_dict(directory: Directory) -> dict[str, Any]:
    """Return users and groups as plain data, for diffs and return values."""
    users = {name: {**dataclasses.asdict(user), "groups": list(user.groups)} for name, user in directory.users.items()}
    return {"users": users, "groups": {name: dataclasses.asdict(group) for name, group in directory.groups.items()}}


def to_params(change: UserChange) -> dict[str, Any]:
    """Return the parameters of SYNO.Core.User create or set: all that differs, and the password if there is one."""
    user = change.user
    sent: dict[str, Any] = {"name": user.name}
    if change.action == "create" or "description" in change.fields:
        sent["description"] = user.description
    if change.action == "create" or "email" in change.fields:
        sent["email"] = user.email
    if change.action == "create" or "enabled" in change.fields:
        sent["expired"] = (user.expires or "normal") if user.enabled else "now"
    if change.password:
        sent["password"] = change.password
    return sent


def plan(
    current: Directory,
    users: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    own_account: str,
    written: Collection[str] = (),
) -> list[Change]:
    """Return the changes that turn `current` into the desired state: groups are created first, deletions come last.

    Args:
        current: all users and groups.
        users: desired users, each with `name`, optionally `state` (present, absent), the fields of User, `password` and
            `update_password` (on_create, always). A field that is missing or None is left as it is.
        groups: desired groups, each with `name`, optionally `state` and the fields of Group.
        own_account: the account that is logged in, which may not be listed.
        written: users whose password has been sent already; it cannot be read back.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    problems = _listing_problems("user", users, BUILT_IN_USERS) + _listing_problems("group", groups, BUILT_IN_GROUPS)
    made, ended = _plan_groups(current, groups)
    known = {*current.groups, *(change.group.name for change in made)} - {change.group.name for change in ended}
    changes: list[Change] = list(made)
    members: list[Change] = []
    gone: list[Change] = []
    for item in users:
        name = item["name"]
        if name.casefold() == own_account.casefold():
            problems.append(
                f"user {name} is the account that this module logs in with, which it never changes. Remove it from the "
                "list, or log in with another administrator."
            )
            continue
        existing = current.users.get(name)
        if item.get("state", "present") == "absent":
            if existing is not None:
                gone.append(UserChange("delete", existing))
            continue
        problems += _user_problems(item, existing, known)
        change = _plan_user(existing, item, name in written)
        changes += [change] if change else []
        if item.get("groups") is not None:
            # A group that goes takes its memberships along.
            before = {group for group in (existing.groups if existing else ()) if group in known}
            after = set(item["groups"])
            members += [MemberChange("add", name, group) for group in sorted(after - before)]
            members += [MemberChange("remove", name, group) for group in sorted(before - after)]
    if problems:
        raise PlanError(problems)
    return changes + members + gone + list(ended)


def predict(current: Directory, changes: Sequence[Change]) -> Directory:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    users, groups = dict(current.users), dict(current.groups)
    for change in changes:
        if isinstance(change, UserChange):
            name = change.user.name
            if change.action == "delete":
                del users[name]
            else:
                belongs = users[name].groups if name in users else ()
                users[name] = dataclasses.replace(change.user, groups=belongs)
        elif isinstance(change, MemberChange):
            belonging = {*users[change.user].groups, change.group}
            if change.action == "remove":
                belonging.discard(change.group)
            users[change.user] = dataclasses.replace(users[change.user], groups=tuple(sorted(belonging)))
        elif change.action == "delete":
            del groups[change.group.name]
            for name, user in users.items():
                left = tuple(group for group in user.groups if group != change.group.name)
                users[name] = dataclasses.replace(user, groups=left)
        else:
            groups[change.group.name] = change.group
    return Directory(users, groups)


def _plan_groups(
    current: Directory, groups: Sequence[Mapping[str, Any]]
) -> tuple[list[GroupChange], list[GroupChange]]:
    """Return the changes that create or update groups, and those that delete some."""
    made, ended = [], []
    for item in groups:
        existing = current.groups.get(item["name"])
        if item.get("state", "present") == "absent":
            ended += [GroupChange("delete", existing)] if existing else []
            continue
        description = item.get("description")
        if existing is None:
            made.append(GroupChange("create", Group(item["name"], description or "")))
        elif description is not None and description != existing.description:
            made.append(GroupChange("update", Group(item["name"], description)))
    return made, ended


def _plan_user(existing: User | None, item: Mapping[str, Any], written: bool) -> UserChange | None:
    given = {key: item[key] for key in CHANGEABLE if item.get(key) is not None}
    password = item.get("password") or ""
    if existing is None:
        return UserChange("create", User(name=item["name"], **given), tuple(given), password)
    result = dataclasses.replace(existing, **given)
    fields = tuple(key for key in CHANGEABLE if getattr(existing, key) != getattr(result, key))
    if written or item.get("update_password") != "always":
        password = ""
    return UserChange("update", result, fields, password) if fields or password else None


def _listing_problems(kind: str, items: Sequence[Mapping[str, Any]], built_in: Collection[str]) -> list[str]:
    spelling: dict[str, str] = {}
    names = [spelling.setdefault(item["name"].casefold(), item["name"]) for item in items]
    return listed_twice(kind, names, "Keep one entry; DSM ignores capitals in names.") + [
        f"{kind} {item['name']} is built into DSM and cannot be deleted. Remove it from the list"
        + (", or set enabled: false." if kind == "user" else ".")
        for item in items
        if item.get("state", "present") == "absent" and item["name"] in built_in
    ]


def _user_problems(item: Mapping[str, Any], existing: User | None, known: Collection[str]) -> list[str]:
    name, problems = item["name"], []
    if existing is None and not item.get("password"):
        problems.append(f"user {name} does not exist and has no password. Set password, which is needed to create it.")
    if existing is not None and item.get("update_password") == "always" and not item.get("password"):
        problems.append(
            f"user {name}: update_password: always needs a password. Set password, or remove update_password."
        )
    for group in item.get("groups") or ():
        if group == EVERYBODY:
            problems.append(f"user {name}: every user belongs to group {group}. Remove it from the user's groups.")
        elif group not in known:
            listed = ", ".join(sorted(set(known) - {EVERYBODY})) or "none"
            problems.append(
                f"user {name}: group {group} does not exist (found: {listed}). List it under groups, or use the "
                "name of "
                "an existing one."
            )
    return problems
