# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which shared folders to create, change or delete. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, integer, text

# What DSM can change on an existing share, and what it accepts only when a share is created (`set` ignores it).
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
        """The folder of the share on the NAS."""
        return f"{self.volume}/{self.name}"


@dataclass(frozen=True)
class Storage:
    """Volumes and shares: `volumes` maps a path to "btrfs" or "ext4", `shares` a name to a Share."""

    volumes: Mapping[str, str]
    shares: Mapping[str, Share]


@dataclass(frozen=True)
class Change:
    """`action` is create, update or delete; `share` the result (or what is deleted), `fields` the names that differ."""

    action: str
    share: Share
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(f"{name} {getattr(self.share, name)!r}" for name in self.fields)
        if self.action == "update":
            return f"set {values} of share {self.share.name}"
        return f"{self.action} share {self.share.path}"


def from_row(row: Mapping[str, Any]) -> Share:
    """Return the share of a row of SYNO.Core.Share.

    Booleans there may be 0/1 or strings, numbers may be strings, and false fields may be missing.
    """
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
    """Return the share as plain data with its path, for diffs and return values."""
    return {**dataclasses.asdict(share), "path": share.path}


def to_shareinfo(change: Change) -> dict[str, Any]:
    """Return the `shareinfo` that creates or sets the share. DSM 7.1 refuses a creation without an empty `name_org`."""
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
    """Return the changes that turn `current` into `desired`, deletions last.

    Each desired item has a `name`, optionally `state` (present, absent), `volume`, `delete_data` and the fields of
    Share; a field that is missing or None is left as it is.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    problems = listed_twice("share", (item["name"] for item in desired))
    changes: list[Change] = []
    for item in distinct(desired, itemgetter("name")):
        name = item["name"]
        existing = current.shares.get(name)
        if item.get("state", "present") == "absent":
            if existing is not None and item.get("delete_data"):
                changes.append(Change("delete", existing))
            elif existing is not None:
                problems.append(
                    f"share {name}: state is absent, but DSM deletes the files with the share. Save them, then set "
                    "delete_data: true; or remove the share from the list."
                )
            continue
        wanted = {key: item[key] for key in CHANGEABLE + AT_CREATION if item.get(key) is not None}
        volume = item.get("volume")
        if existing is None:
            result = Share(name=name, volume=volume or "", **wanted)
            problems += _creation_problems(current, result)
            changes.append(Change("create", result, tuple(wanted)))
        else:
            result = dataclasses.replace(existing, **{key: wanted[key] for key in CHANGEABLE if key in wanted})
            problems += _mismatches(existing, volume, wanted)
            fields = tuple(key for key in CHANGEABLE if getattr(existing, key) != getattr(result, key))
            if fields:
                changes.append(Change("update", result, fields))
        problems += _value_problems(current, result)
    if problems:
        raise PlanError(problems)
    return sorted(changes, key=lambda change: change.action == "delete")


def predict(current: Storage, changes: Sequence[Change]) -> Storage:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
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
        problems.append(f"share {share.name} does not exist and has no volume. Set volume, e.g. /volume1.")
    elif share.volume not in current.volumes:
        known = ", ".join(sorted(current.volumes)) or "none"
        problems.append(
            f"share {share.name}: the NAS has no volume {share.volume} (found: {known}). Set volume to one of these."
        )
    if share.name.lower() in RESERVED or share.name.lower().startswith(("usbshare", "esatashare")):
        problems.append(f"share {share.name}: DSM reserves this name. Use another name.")
    if share.compress and not share.cow:
        problems.append(f"share {share.name}: compress needs cow. Set cow: true as well.")
    return problems


def _mismatches(existing: Share, volume: str | None, wanted: Mapping[str, Any]) -> list[str]:
    problems = []
    if volume and volume != existing.volume:
        problems.append(
            f"share {existing.name} is on {existing.volume}, expected {volume}, and this module does not move "
            "data. Move it in "
            "Control Panel > Shared Folder, or set volume to the present one."
        )
    for key in AT_CREATION:
        if key in wanted and wanted[key] != getattr(existing, key):
            problems.append(
                f"share {existing.name} has {key} {getattr(existing, key)}, expected {wanted[key]}, which DSM "
                "sets only when a "
                f"share is created. Copy the data to a new share, or remove {key}."
            )
    return problems


def _value_problems(current: Storage, share: Share) -> list[str]:
    problems = []
    if len(share.description) > DESCRIPTION_LIMIT:
        length = len(share.description)
        problems.append(
            f"share {share.name}: the description has {length} characters, DSM accepts {DESCRIPTION_LIMIT}. Shorten it."
        )
    if share.recycle_bin_admin_only and not share.recycle_bin:
        problems.append(f"share {share.name}: recycle_bin_admin_only needs recycle_bin. Set recycle_bin: true as well.")
    file_system = current.volumes.get(share.volume, "")
    if file_system and file_system != "btrfs":
        unsupported = [key for key in ("quota_mib", "compress", "cow") if getattr(share, key)]
        if unsupported:
            problems.append(
                f"share {share.name}: {', '.join(unsupported)} needs a btrfs volume, {share.volume} is {file_system}. "
                "Remove these options, or use a btrfs volume."
            )
    return problems
