# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares, volumes and NFS of a NAS as the planners' values: reading them, and carrying out one change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..client.client import Client, Read
from ..plans import nfs as nfs_plan
from ..plans import share as share_plan

SHARE = "SYNO.Core.Share"
NFS = "SYNO.Core.FileServ.NFS"
RULES = "SYNO.Core.FileServ.NFS.SharePrivilege"
VOLUME = "SYNO.Core.Storage.Volume"
INFO = "SYNO.DSM.Info"
_SHARE_FIELDS = ["hidden", "recyclebin", "share_quota", "enable_share_compress", "enable_share_cow"]
# A share that was just made is unknown to the NFS side for some seconds.
_NOT_READY = frozenset({2370})
# USB disks and other places that NFS cannot export.
_NEVER_EXPORTED = frozenset({2371, 2372})
_VOLUMES = Read(VOLUME, "list", 1, {"offset": 0, "limit": -1, "location": "internal"})
_SHARES = Read(SHARE, "list", 1, {"shareType": "all", "additional": _SHARE_FIELDS})
_SERVICE = Read(NFS, "get", 2)


def system(client: Client) -> dict[str, Any]:
    """Model, serial number, DSM version, memory in MiB, temperature in °C and uptime in seconds."""
    data = client.read(INFO, "getinfo", 2)
    return {
        "model": data.get("model"),
        "serial": data.get("serial"),
        "version": data.get("version_string"),
        "build": data.get("version"),
        "ram_mib": data.get("ram"),
        "temperature_c": data.get("temperature"),
        "uptime_s": data.get("uptime"),
    }


def volumes(client: Client) -> list[dict[str, Any]]:
    """Every internal volume: path, file system, status, size and free space in bytes."""
    return _volumes(client.get(_VOLUMES))


def storage(client: Client) -> share_plan.Storage:
    found = client.read_all({"volumes": _VOLUMES, "shares": _SHARES})
    file_systems = {volume["path"]: volume["file_system"] for volume in _volumes(found["volumes"])}
    return share_plan.Storage(file_systems, _shares(found["shares"]))


def shares(client: Client) -> dict[str, share_plan.Share]:
    """Every share that the account sees."""
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
    found = [share_plan.from_row(row) for row in data["shares"]]
    return {share.name: share for share in found}


def change_share(client: Client, change: share_plan.Change) -> None:
    name = change.share.name
    subject = f"share {name}"
    if change.action == "delete":
        client.write(SHARE, "delete", 1, {"name": [name]}, subject)
    else:
        method = "create" if change.action == "create" else "set"
        client.write(SHARE, method, 1, {"name": name, "shareinfo": share_plan.to_shareinfo(change)}, subject)


def nfs(client: Client, names: Iterable[str]) -> nfs_plan.Nfs:
    """The service, and the NFS rules of existing shares; one that cannot be exported at all has none."""
    reads = {
        name: Read(RULES, "load", 1, {"share_name": name}, f"share {name}", _NOT_READY, _NEVER_EXPORTED)
        for name in names
    }
    found = client.read_all({"": _SERVICE, **reads})
    service = nfs_plan.service_from_api(found.pop(""))
    rules = {name: (answer or {}).get("rule") or [] for name, answer in found.items()}
    return nfs_plan.Nfs(service, {name: tuple(map(nfs_plan.rule_from_api, rows)) for name, rows in rules.items()})


def change_nfs(client: Client, change: nfs_plan.Change) -> None:
    if isinstance(change, nfs_plan.ServiceChange):
        client.write(NFS, "set", 2, nfs_plan.service_to_api(change.service), "the NFS service")
    else:
        payload = {"share_name": change.share, "rule": [nfs_plan.rule_to_api(rule) for rule in change.rules]}
        client.write(RULES, "save", 1, payload, f"the NFS rules of share {change.share}", busy=_NOT_READY)
