# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshot schedules and retention as the planner's values: reading them, and carrying out one change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import dsm_nas
from . import dsm_snapshot_plan as plan
from .dsm_client import Client

SNAPSHOT = "SYNO.Core.Share.Snapshot"
RETENTION = "SYNO.DisasterRecovery.Retention"


def nas(client: Client, shares: Iterable[str]) -> plan.Nas:
    """The file systems of all shares, and the settings of these, where they exist on btrfs."""
    storage = dsm_nas.storage(client)
    file_systems = {name: storage.volumes.get(share.volume, "") for name, share in storage.shares.items()}
    found = {}
    for share in dict.fromkeys(shares):
        if file_systems.get(share) == "btrfs":
            subject = f"the snapshots of share {share}"
            schedule = client.read(SNAPSHOT, "get_schedule", 1, {"name": share}, subject)
            retention = client.read(RETENTION, "get", 1, {"type": "Share", "name": share}, subject)
            found[share] = plan.from_api(schedule or {}, retention or {})
    return plan.Nas(file_systems, found)


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
