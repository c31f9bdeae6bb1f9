# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users and groups have to get another access to a share. Pure: no network, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, text

KINDS = {"user": "local_user", "group": "local_group"}
ACCESS = ("rw", "ro", "none")
# What a share says of a principal without an entry of its own, and of one whose rights were set by hand in detail.
UNSET = "unset"
CUSTOM = "custom"
_FLAGS = {"rw": "is_writable", "ro": "is_readonly", "none": "is_deny"}


@dataclass(frozen=True, order=True)
class Principal:
    """`kind` is user or group."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Entry:
    """Access rw, ro, none (refused), unset or custom. `fixed` entries are the administrators': DSM keeps them rw."""

    access: str = UNSET
    fixed: bool = False


Permissions = Mapping[str, Mapping[Principal, Entry]]
"""What every local user and group may do, by share."""


@dataclass(frozen=True)
class Change:
    """New access of some principals to a share; the others keep theirs."""

    share: str
    access: Mapping[Principal, str]

    def __str__(self) -> str:
        grants = ", ".join(f"{principal} {access}" for principal, access in self.access.items())
        return f"set access to share {self.share}: {grants}"


def entry_from_row(kind: str, row: Mapping[str, Any]) -> tuple[Principal, Entry]:
    """A row of SYNO.Core.Share.Permission list, asked for `kind`."""
    access = next((ours for ours, theirs in _FLAGS.items() if boolean(row.get(theirs))), UNSET)
    if boolean(row.get("is_custom")):
        access = CUSTOM
    fixed = kind == "group" and boolean(row.get("is_admin"))
    return Principal(kind, text(row["name"])), Entry(access, fixed)


def to_rows(change: Change, kind: str) -> list[dict[str, Any]]:
    """The `permissions` that SYNO.Core.Share.Permission set is sent for one kind of principal."""
    return [
        {"name": principal.name, "is_custom": False, **{flag: access == word for word, flag in _FLAGS.items()}}
        for principal, access in change.access.items()
        if principal.kind == kind
    ]


def to_dict(permissions: Permissions) -> dict[str, Any]:
    """The entries by share as plain data, for diffs and return values: those without one are left out."""
    return {
        share: {str(principal): entry.access for principal, entry in sorted(entries.items()) if entry.access != UNSET}
        for share, entries in permissions.items()
    }


def assume_created(current: Permissions, desired: Sequence[Mapping[str, Any]]) -> tuple[Permissions, list[str]]:
    """For check mode: `current` with the wishes' missing shares, users and groups as if made, and their names."""
    found = {share: dict(entries) for share, entries in current.items()}
    unborn = []
    for wish in desired:
        if wish["share"] not in found:
            unborn.append(f"share {wish['share']}")
        entries = found.setdefault(wish["share"], {})
        for grant in wish.get("permissions") or ():
            kind = "user" if grant.get("user") else "group"
            principal = Principal(kind, grant.get(kind) or "")
            if principal.name and principal not in entries:
                entries[principal] = Entry()
                unborn.append(str(principal))
    return found, list(dict.fromkeys(unborn))


def plan(current: Permissions, desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What turns `current` into `desired`, one change a share.

    Each wish has a `share`, `permissions` (each `user` or `group`, and `access`), and `exclusive`: whether everybody
    else's entry goes. Raises PlanError naming everything that cannot be done.
    """
    problems: list[str] = []
    changes: list[Change] = []
    seen: set[str] = set()
    for wish in desired:
        share = wish["share"]
        if share in seen:
            problems.append(f"share {share} is listed twice. Keep one entry.")
            continue
        seen.add(share)
        found = current.get(share)
        if found is None:
            problems.append(f"share {share} does not exist. Create it with tars.home.dsm_share first.")
            continue
        wanted, mistakes = _wanted(share, wish, found)
        problems += mistakes
        if wish.get("exclusive"):
            for principal, entry in found.items():
                if not entry.fixed:
                    wanted.setdefault(principal, UNSET)
        differing = {
            principal: access
            for principal, access in sorted(wanted.items())
            if found.get(principal, Entry()).access != access
        }
        if differing:
            changes.append(Change(share, differing))
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Permissions, changes: Sequence[Change]) -> Permissions:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
    after = {share: dict(entries) for share, entries in current.items()}
    for change in changes:
        after[change.share].update({principal: Entry(access) for principal, access in change.access.items()})
    return after


def _wanted(
    share: str, wish: Mapping[str, Any], found: Mapping[Principal, Entry]
) -> tuple[dict[Principal, str], list[str]]:
    """The listed principals' access, and what is wrong with the list."""
    wanted: dict[Principal, str] = {}
    problems = []
    for grant in wish.get("permissions") or ():
        if bool(grant.get("user")) == bool(grant.get("group")):
            problems.append(f"share {share}: an entry of permissions names a user or a group, and not both. Set one.")
            continue
        kind = "user" if grant.get("user") else "group"
        principal, access = Principal(kind, grant[kind]), grant["access"]
        entry = found.get(principal)
        if principal in wanted:
            problems.append(f"share {share}: {principal} is listed twice. Keep one entry.")
        elif entry is None:
            problems.append(
                f"share {share}: the NAS has no {principal}. Create it with tars.home.dsm_account, or correct the name."
            )
        elif entry.fixed and access != entry.access:
            problems.append(
                f"share {share}: {principal} has {entry.access}, wanted {access}, which DSM does not do to "
                "administrators. Drop the entry."
            )
        wanted[principal] = access
    return wanted, problems
