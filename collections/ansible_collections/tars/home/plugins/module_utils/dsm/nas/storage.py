# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares, volumes and NFS of a NAS: read them as the planners' values, and write one change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .. import calls
from ..client.client import Client, Read
from ..plans import nfs as nfs_plan
from ..plans import share as share_plan

_SHARE_FIELDS = ["hidden", "recyclebin", "share_quota", "enable_share_compress", "enable_share_cow"]
# For some seconds the NFS service does not know a share that was just created.
_NOT_READY = frozenset({2370})
# USB disks and other places that NFS cannot export.
_NEVER_EXPORTED = frozenset({2371, 2372})
_VOLUMES = Read(calls.VOLUME_LIST, {"offset": 0, "limit": -1, "location": "internal"})
_SHARES = Read(calls.SHARE_LIST, {"shareType": "all", "additional": _SHARE_FIELDS})
_SERVICE = Read(calls.NFS_GET)


def volumes(client: Client) -> list[dict[str, Any]]:
    """Return every internal volume: path, file system, status, size and free space in bytes."""
    return _volumes(client.get(_VOLUMES))


def storage(client: Client) -> share_plan.Storage:
    """Return the volumes and all shares that the account sees."""
    answers = client.read_all({"volumes": _VOLUMES, "shares": _SHARES})
    file_systems = {volume["path"]: volume["file_system"] for volume in _volumes(answers["volumes"])}
    return share_plan.Storage(file_systems, _shares(answers["shares"]))


def shares(client: Client) -> dict[str, share_plan.Share]:
    """Return every share that the account sees, by name."""
    return _shares(client.get(_SHARES))


def _volumes(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "path": row["volume_path"],
            "file_system": row["fs_type"],
            "status": row["status"],
            "size_bytes": int(row["size_total_byte"]),
            "free_bytes": int(row["size_free_byte"]),
        }
        for row in data["volumes"]
    ]


def _shares(data: Mapping[str, Any]) -> dict[str, share_plan.Share]:
    shares = [share_plan.from_row(row) for row in data["shares"]]
    return {share.name: share for share in shares}


def change_share(client: Client, change: share_plan.Change) -> None:
    """Create, change or delete a share."""
    name = change.share.name
    subject = f"share {name}"
    if change.action == "delete":
        client.write(calls.SHARE_DELETE, {"name": [name]}, subject)
    else:
        call = calls.SHARE_CREATE if change.action == "create" else calls.SHARE_SET
        client.write(call, {"name": name, "shareinfo": share_plan.to_shareinfo(change)}, subject)


def nfs(client: Client, names: Iterable[str]) -> nfs_plan.Nfs:
    """Return the service and the rules of the named shares, which must exist.

    A share that cannot be exported at all has no rules.
    """
    reads = {
        name: Read(calls.NFS_RULES_LOAD, {"share_name": name}, f"share {name}", _NOT_READY, _NEVER_EXPORTED)
        for name in names
    }
    answers = client.read_all({"": _SERVICE, **reads})
    service = nfs_plan.service_from_api(answers.pop(""))
    rules = {name: (answer or {}).get("rule") or [] for name, answer in answers.items()}
    return nfs_plan.Nfs(service, {name: tuple(map(nfs_plan.rule_from_api, rows)) for name, rows in rules.items()})


def change_nfs(client: Client, change: nfs_plan.Change) -> None:
    """Change the service, or replace the rules of a share."""
    if isinstance(change, nfs_plan.ServiceChange):
        client.write(calls.NFS_SET, nfs_plan.service_to_api(change.service), "the NFS service")
    else:
        payload = {"share_name": change.share, "rule": [nfs_plan.rule_to_api(rule) for rule in change.rules]}
        client.write(calls.NFS_RULES_SAVE, payload, f"the NFS rules of share {change.share}", busy=_NOT_READY)
