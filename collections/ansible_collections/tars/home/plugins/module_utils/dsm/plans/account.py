# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users and groups have to be made, changed or removed. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ..values import PlanError, text

BUILT_IN_USERS = frozenset(["admin", "guest"])
BUILT_IN_GROUPS = frozenset(["administrators", "http", "users"])
# Every user belongs to it, and nobody can leave.
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
    """A row of SYNO.Core.User, whose `expired` is "normal", "now" or a day."""
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
    return Group(text(row["name"]), text(row.get("description")))


def to_dict(directory: Directory) -> dict[str, Any]:
    """Users and groups as plain data, for diffs and return values."""
    users = {name: {**dataclasses.asdict(user), "groups": list(user.groups)} for name, user in directory.users.items()}
    return {"users": users, "groups": {name: dataclasses.asdict(group) for name, group in directory.groups.items()}}


def to_params(change: UserChange) -> dict[str, Any]:
    """What SYNO.Core.User's create or set is sent: all that differs, and the password where there is one."""
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
    """What turns `current` into what is wanted; groups are made first, and users and groups removed last.

    A wish has `name`, optionally `state` (present, absent) and the fields of User or Group; a user also `password` and
    `update_password` (on_create, always). A field that is missing or None is left as it is. `written` names the users
    whose password has been sent, because nobody can read it back. Raises PlanError naming everything that cannot be
    done; `own_account` may not be listed at all.
    """
    problems = _listing_problems("user", users, BUILT_IN_USERS) + _listing_problems("group", groups, BUILT_IN_GROUPS)
    made, ended = _plan_groups(current, groups)
    known = {*current.groups, *(change.group.name for change in made)} - {change.group.name for change in ended}
    changes: list[Change] = list(made)
    members: list[Change] = []
    gone: list[Change] = []
    for wish in users:
        name = wish["name"]
        if name.casefold() == own_account.casefold():
            problems.append(
                f"user {name} is the account that this module logs in with, which it never touches. Take it off the "
                "list, or log in with another administrator."
            )
            continue
        found = current.users.get(name)
        if wish.get("state", "present") == "absent":
            if found is not None:
                gone.append(UserChange("delete", found))
            continue
        problems += _wish_problems(wish, found, known)
        change = _plan_user(found, wish, name in written)
        changes += [change] if change else []
        if wish.get("groups") is not None:
            # A group that goes takes its memberships along.
            before = {group for group in (found.groups if found else ()) if group in known}
            after = set(wish["groups"])
            members += [MemberChange("add", name, group) for group in sorted(after - before)]
            members += [MemberChange("remove", name, group) for group in sorted(before - after)]
    if problems:
        raise PlanError(problems)
    return changes + members + gone + list(ended)


def predict(current: Directory, changes: Sequence[Change]) -> Directory:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
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
    """Groups to make or change, and groups to remove."""
    made, ended = [], []
    for wish in groups:
        found = current.groups.get(wish["name"])
        if wish.get("state", "present") == "absent":
            ended += [GroupChange("delete", found)] if found else []
            continue
        description = wish.get("description")
        if found is None:
            made.append(GroupChange("create", Group(wish["name"], description or "")))
        elif description is not None and description != found.description:
            made.append(GroupChange("update", Group(wish["name"], description)))
    return made, ended


def _plan_user(found: User | None, wish: Mapping[str, Any], written: bool) -> UserChange | None:
    wanted = {key: wish[key] for key in CHANGEABLE if wish.get(key) is not None}
    password = wish.get("password") or ""
    if found is None:
        return UserChange("create", User(name=wish["name"], **wanted), tuple(wanted), password)
    result = dataclasses.replace(found, **wanted)
    fields = tuple(key for key in CHANGEABLE if getattr(found, key) != getattr(result, key))
    if written or wish.get("update_password") != "always":
        password = ""
    return UserChange("update", result, fields, password) if fields or password else None


def _listing_problems(kind: str, wishes: Sequence[Mapping[str, Any]], built_in: Collection[str]) -> list[str]:
    names = [wish["name"] for wish in wishes]
    folded = [name.casefold() for name in names]
    problems = [
        f"{kind} {name} is listed twice (DSM tells no capitals apart). Keep one entry."
        for place, name in enumerate(names)
        if name.casefold() in folded[:place]
    ]
    return problems + [
        f"{kind} {wish['name']} comes with DSM and cannot be removed. Drop the wish"
        + (", or set enabled: false." if kind == "user" else ".")
        for wish in wishes
        if wish.get("state", "present") == "absent" and wish["name"] in built_in
    ]


def _wish_problems(wish: Mapping[str, Any], found: User | None, known: Collection[str]) -> list[str]:
    name, problems = wish["name"], []
    if found is None and not wish.get("password"):
        problems.append(f"user {name} does not exist, and no password is given to make it with. Set password.")
    if found is not None and wish.get("update_password") == "always" and not wish.get("password"):
        problems.append(f"user {name}: update_password: always needs a password. Set password, or drop the wish.")
    for group in wish.get("groups") or ():
        if group == EVERYBODY:
            problems.append(f"user {name}: every user belongs to group {group}. Take it off the user's groups.")
        elif group not in known:
            listed = ", ".join(sorted(set(known) - {EVERYBODY})) or "none"
            problems.append(
                f"user {name} is wanted in group {group}, which is not there (found: {listed}). List it under groups, "
                "or correct the name."
            )
    return problems
