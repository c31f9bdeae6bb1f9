# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshot schedules and retention as the planner's values: reading them, and carrying out one change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..client.client import Client, Read
from ..plans import snapshot as plan
from . import storage as dsm_nas

SNAPSHOT = "SYNO.Core.Share.Snapshot"
RETENTION = "SYNO.DisasterRecovery.Retention"


def nas(client: Client, shares: Iterable[str]) -> plan.Nas:
    """The file systems of all shares, and the settings of these, where they exist on btrfs."""
    storage = dsm_nas.storage(client)
    file_systems = {name: storage.volumes.get(share.volume, "") for name, share in storage.shares.items()}
    names = [share for share in dict.fromkeys(shares) if file_systems.get(share) == "btrfs"]
    reads = {}
    for name in names:
        subject = f"the snapshots of share {name}"
        reads[name, "schedule"] = Read(SNAPSHOT, "get_schedule", 1, {"name": name}, subject)
        reads[name, "retention"] = Read(RETENTION, "get", 1, {"type": "Share", "name": name}, subject)
    found = client.read_all(reads)
    settings = {name: plan.from_api(found[name, "schedule"] or {}, found[name, "retention"] or {}) for name in names}
    return plan.Nas(file_systems, settings)


def taken(client: Client, share: str) -> list[dict[str, Any]]:
    """The snapshots there are: name (their time on the NAS's clock), description, whether locked, whether scheduled."""
    asked = {"name": share, "additional": ["desc", "lock", "schedule_snapshot"], "offset": 0, "limit": -1}
    data = client.read(SNAPSHOT, "list", 2, asked, f"the snapshots of share {share}")
    return [
        {
            "name": row["time"],
            "description": row.get("desc", ""),
            "locked": bool(row.get("lock")),
            "scheduled": bool(row.get("schedule_snapshot")),
        }
        for row in data["snapshots"]
    ]


def change(client: Client, wanted: plan.Change) -> None:
    subject = f"the snapshots of share {wanted.share}"
    if wanted.schedule is not None:
        client.write(SNAPSHOT, "set_schedule", 1, plan.to_schedule(wanted), subject)
    else:
        client.write(RETENTION, "set", 1, plan.to_retention(wanted), subject)
