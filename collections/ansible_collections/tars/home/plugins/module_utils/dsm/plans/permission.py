# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which users and groups get another access to a share. Pure: no network, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, text

KINDS = {"user": "local_user", "group": "local_group"}
ACCESS = ("rw", "ro", "none")
# The access of a principal without an entry of its own, and of one whose rights were set by hand in detail.
UNSET = "unset"
CUSTOM = "custom"
_FLAGS = {"rw": "is_writable", "ro": "is_readonly", "none": "is_deny"}


@dataclass(frozen=True, order=True)
class Principal:
    """A user or a group; `kind` is one of these words."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Entry:
    """Access rw, ro, none (refused), unset or custom. DSM keeps `fixed` entries, the administrators', at rw."""

    access: str = UNSET
    fixed: bool = False


Permissions = Mapping[str, Mapping[Principal, Entry]]
"""The access of every local user and group, by share."""


@dataclass(frozen=True)
class Change:
    """New access of some principals to a share; the others keep theirs."""

    share: str
    access: Mapping[Principal, str]

    def __str__(self) -> str:
        grants = ", ".join(f"{principal} {access}" for principal, access in self.access.items())
        return f"set access to share {self.share}: {grants}"


def entry_from_row(kind: str, row: Mapping[str, Any]) -> tuple[Principal, Entry]:
    """Return the entry of a row of SYNO.Core.Share.Permission list for principals of this kind."""
    access = next((ours for ours, theirs in _FLAGS.items() if boolean(row.get(theirs))), UNSET)
    if boolean(row.get("is_custom")):
        access = CUSTOM
    fixed = kind == "group" and boolean(row.get("is_admin"))
    return Principal(kind, text(row["name"])), Entry(access, fixed)


def to_rows(change: Change, kind: str) -> list[dict[str, Any]]:
    """Return the `permissions` of SYNO.Core.Share.Permission set for one kind of principal."""
    return [
        {"name": principal.name, "is_custom": False, **{flag: access == word for word, flag in _FLAGS.items()}}
        for principal, access in change.access.items()
        if principal.kind == kind
    ]


def to_dict(permissions: Permissions) -> dict[str, Any]:
    """Return the entries by share as plain data, for diffs and return values; unset ones are left out."""
    return {
        share: {str(principal): entry.access for principal, entry in sorted(entries.items()) if entry.access != UNSET}
        for share, entries in permissions.items()
    }


def assume_created(current: Permissions, desired: Sequence[Mapping[str, Any]]) -> tuple[Permissions, list[str]]:
    """Return, for check mode, `current` with the missing shares, users and groups added, and their names."""
    assumed = {share: dict(entries) for share, entries in current.items()}
    missing = []
    for item in desired:
        if item["share"] not in assumed:
            missing.append(f"share {item['share']}")
        entries = assumed.setdefault(item["share"], {})
        for grant in item.get("permissions") or ():
            kind = "user" if grant.get("user") else "group"
            principal = Principal(kind, grant.get(kind) or "")
            if principal.name and principal not in entries:
                entries[principal] = Entry()
                missing.append(str(principal))
    return assumed, list(dict.fromkeys(missing))


def plan(current: Permissions, desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes that turn `current` into `desired`, one for each share.

    Each desired item has a `share`, `permissions` (each `user` or `group`, and `access`), and `exclusive`: whether all
    other entries are removed.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    problems = listed_twice("share", (item["share"] for item in desired))
    changes: list[Change] = []
    for item in distinct(desired, itemgetter("share")):
        share = item["share"]
        existing = current.get(share)
        if existing is None:
            problems.append(f"share {share} does not exist. Create it with tars.home.dsm_share first.")
            continue
        wanted, mistakes = _wanted(share, item, existing)
        problems += mistakes
        if item.get("exclusive"):
            for principal, entry in existing.items():
                if not entry.fixed:
                    wanted.setdefault(principal, UNSET)
        differing = {
            principal: access
            for principal, access in sorted(wanted.items())
            if existing.get(principal, Entry()).access != access
        }
        if differing:
            changes.append(Change(share, differing))
    if problems:
        raise PlanError(problems)
    return changes


def predict(current: Permissions, changes: Sequence[Change]) -> Permissions:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    after = {share: dict(entries) for share, entries in current.items()}
    for change in changes:
        after[change.share].update({principal: Entry(access) for principal, access in change.access.items()})
    return after


def _wanted(
    share: str, item: Mapping[str, Any], existing: Mapping[Principal, Entry]
) -> tuple[dict[Principal, str], list[str]]:
    """Return the access of the listed principals, and the problems of the list."""
    grants: list[tuple[Principal, str]] = []
    problems = []
    for grant in item.get("permissions") or ():
        if bool(grant.get("user")) == bool(grant.get("group")):
            problems.append(f"share {share}: an entry of permissions names either a user or a group. Set one of them.")
            continue
        kind = "user" if grant.get("user") else "group"
        grants.append((Principal(kind, grant[kind]), grant["access"]))
    problems += listed_twice(f"share {share}:", (str(principal) for principal, _ in grants))
    wanted = dict(distinct(grants, itemgetter(0)))
    for principal, access in wanted.items():
        entry = existing.get(principal)
        if entry is None:
            problems.append(
                f"share {share}: the NAS has no {principal}. Create it with tars.home.dsm_account, or use an "
                "existing name."
            )
        elif entry.fixed and access != entry.access:
            problems.append(
                f"share {share}: {principal} has {entry.access}, expected {access}, which DSM does not allow for "
                "administrators. Remove the entry."
            )
    return wanted, problems
