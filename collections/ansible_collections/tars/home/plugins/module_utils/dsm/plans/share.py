# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shared folders have to be made, changed or removed. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, integer, text

# What DSM lets change on an existing share, and what only counts when it is made (`set` ignores it silently).
CHANGEABLE = ("description", "hidden", "recycle_bin", "recycle_bin_admin_only", "quota_mib")
AT_CREATION = ("compress", "cow")
DESCRIPTION_LIMIT = 64
RESERVED = frozenset(["home", "homes", "music", "netbackup", "photo", "surveillance", "video", "web", "web_packages"])


@dataclass(frozen=True)
class Share:
    """A shared folder. `quota_mib` 0 means no quota; `cow` is btrfs' checksumming, which `compress` needs."""

    name: str
    volume: str
    description: str = ""
    hidden: bool = False
    recycle_bin: bool = False
    recycle_bin_admin_only: bool = False
    quota_mib: int = 0
    compress: bool = False
    cow: bool = False

    @property
    def path(self) -> str:
        return f"{self.volume}/{self.name}"


@dataclass(frozen=True)
class Storage:
    """The NAS as far as shares go: `volumes` maps a path to "btrfs" or "ext4", `shares` a name to a Share."""

    volumes: Mapping[str, str]
    shares: Mapping[str, Share]


@dataclass(frozen=True)
class Change:
    """`action` is create, update or delete; `share` the result (or what goes), `fields` the names that differ."""

    action: str
    share: Share
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(f"{name} {getattr(self.share, name)!r}" for name in self.fields)
        if self.action == "update":
            return f"set {values} of share {self.share.name}"
        return f"{self.action} share {self.share.path}"


def from_row(row: Mapping[str, Any]) -> Share:
    """A row of SYNO.Core.Share, whose booleans may be 0/1 or strings, numbers strings, and false fields missing."""
    return Share(
        name=text(row["name"]),
        volume=text(row["vol_path"]),
        description=text(row.get("desc")),
        hidden=boolean(row.get("hidden")),
        recycle_bin=boolean(row.get("enable_recycle_bin")),
        recycle_bin_admin_only=boolean(row.get("recycle_bin_admin_only")),
        quota_mib=integer(row.get("quota_value")),
        compress=boolean(row.get("enable_share_compress")),
        cow=boolean(row.get("enable_share_cow")),
    )


def to_dict(share: Share) -> dict[str, Any]:
    """The share as plain data with its path, for diffs and return values."""
    return {**dataclasses.asdict(share), "path": share.path}


def to_shareinfo(change: Change) -> dict[str, Any]:
    """The `shareinfo` that makes or sets the share. DSM 7.1 refuses a creation without an empty `name_org`."""
    share = change.share
    info: dict[str, Any] = {
        "name": share.name,
        "vol_path": share.volume,
        "desc": share.description,
        "hidden": share.hidden,
        "enable_recycle_bin": share.recycle_bin,
        "recycle_bin_admin_only": share.recycle_bin_admin_only,
    }
    if "quota_mib" in change.fields:
        info["share_quota"] = share.quota_mib
    if change.action == "create":
        info.update(name_org="", enable_share_compress=share.compress, enable_share_cow=share.cow)
    return info


def plan(current: Storage, desired: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What turns `current` into `desired`, deletions last.

    Each wish has a `name`, optionally `state` (present, absent), `volume`, `delete_data` and the fields of Share; a
    field that is missing or None is left as it is. Raises PlanError naming everything that cannot be done.
    """
    problems: list[str] = []
    changes: list[Change] = []
    seen: set[str] = set()
    for wish in desired:
        name = wish["name"]
        if name in seen:
            problems.append(f"share {name} is listed twice. Keep one entry.")
            continue
        seen.add(name)
        found = current.shares.get(name)
        if wish.get("state", "present") == "absent":
            if found is not None and wish.get("delete_data"):
                changes.append(Change("delete", found))
            elif found is not None:
                problems.append(
                    f"share {name} is wanted absent, but DSM deletes its files with it. Save them, then set "
                    "delete_data: true; or leave the share out of the list."
                )
            continue
        wanted = {key: wish[key] for key in CHANGEABLE + AT_CREATION if wish.get(key) is not None}
        volume = wish.get("volume")
        if found is None:
            result = Share(name=name, volume=volume or "", **wanted)
            problems += _creation_problems(current, result)
            changes.append(Change("create", result, tuple(wanted)))
        else:
            result = dataclasses.replace(found, **{key: wanted[key] for key in CHANGEABLE if key in wanted})
            problems += _mismatches(found, volume, wanted)
            fields = tuple(key for key in CHANGEABLE if getattr(found, key) != getattr(result, key))
            if fields:
                changes.append(Change("update", result, fields))
        problems += _value_problems(current, result)
    if problems:
        raise PlanError(problems)
    return sorted(changes, key=lambda change: change.action == "delete")


def predict(current: Storage, changes: Sequence[Change]) -> Storage:
    """The model of what DSM does with the changes; for check mode and for the tests of `plan`."""
    shares = dict(current.shares)
    for change in changes:
        if change.action == "delete":
            del shares[change.share.name]
        else:
            shares[change.share.name] = change.share
    return Storage(current.volumes, shares)


def _creation_problems(current: Storage, share: Share) -> list[str]:
    problems = []
    if not share.volume:
        problems.append(f"share {share.name} does not exist, and no volume is given. Set volume, e.g. /volume1.")
    elif share.volume not in current.volumes:
        known = ", ".join(sorted(current.volumes)) or "none"
        problems.append(f"share {share.name}: the NAS has no volume {share.volume} (found: {known}). Correct volume.")
    if share.name.lower() in RESERVED or share.name.lower().startswith(("usbshare", "esatashare")):
        problems.append(f"share {share.name}: DSM keeps that name for itself. Choose another name.")
    if share.compress and not share.cow:
        problems.append(f"share {share.name}: compress needs cow. Set cow: true as well.")
    return problems


def _mismatches(found: Share, volume: str | None, wanted: Mapping[str, Any]) -> list[str]:
    problems = []
    if volume and volume != found.volume:
        problems.append(
            f"share {found.name} lies on {found.volume}, wanted on {volume}: this module does not move data. Move it "
            "in Control Panel > Shared Folder, or correct volume."
        )
    for key in AT_CREATION:
        if key in wanted and wanted[key] != getattr(found, key):
            problems.append(
                f"share {found.name} has {key} {getattr(found, key)}, wanted {wanted[key]}, which DSM sets only when a "
                "share is made. Copy the data to a new share, or drop the wish."
            )
    return problems


def _value_problems(current: Storage, share: Share) -> list[str]:
    problems = []
    if len(share.description) > DESCRIPTION_LIMIT:
        length = len(share.description)
        problems.append(
            f"share {share.name}: the description has {length} characters, DSM takes {DESCRIPTION_LIMIT}. Shorten it."
        )
    if share.recycle_bin_admin_only and not share.recycle_bin:
        problems.append(f"share {share.name}: recycle_bin_admin_only needs recycle_bin. Set recycle_bin: true as well.")
    file_system = current.volumes.get(share.volume, "")
    if file_system and file_system != "btrfs":
        unsupported = [key for key in ("quota_mib", "compress", "cow") if getattr(share, key)]
        if unsupported:
            problems.append(
                f"share {share.name}: {', '.join(unsupported)} needs a btrfs volume, {share.volume} is {file_system}. "
                "Drop the wish, or use a btrfs volume."
            )
    return problems
