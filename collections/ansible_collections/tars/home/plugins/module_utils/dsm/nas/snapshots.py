# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshot schedules, retention and visibility: read them as the planner's values, and write one change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from .. import calls
from ..client.client import Client, Read
from ..plans import snapshot as snapshot_plan
from .storage import storage


def nas(client: Client, shares: Iterable[str], with_visibility: Collection[str] = ()) -> snapshot_plan.Nas:
    """Return the file systems of all shares, and the settings of the named ones that exist on btrfs.

    Their visibility is read where it is managed alone.
    """
    stored = storage(client)
    file_systems = {name: stored.volumes.get(share.volume, "") for name, share in stored.shares.items()}
    names = [share for share in dict.fromkeys(shares) if file_systems.get(share) == "btrfs"]
    reads = {}
    for name in names:
        subject = f"the snapshots of share {name}"
        reads[name, "schedule"] = Read(calls.SNAPSHOT_SCHEDULE_GET, {"name": name}, subject)
        reads[name, "retention"] = Read(calls.RETENTION_GET, {"type": "Share", "name": name}, subject)
        if name in with_visibility:
            params = {"name": name, "sharesnapinfo": list(snapshot_plan.CONF)}
            reads[name, "conf"] = Read(calls.SNAPSHOT_CONF_GET, params, subject)
    answers = client.read_all(reads)
    settings = {
        name: snapshot_plan.from_api(
            answers[name, "schedule"] or {}, answers[name, "retention"] or {}, answers.get((name, "conf"))
        )
        for name in names
    }
    return snapshot_plan.Nas(file_systems, settings)


def taken(client: Client, share: str) -> list[dict[str, Any]]:
    """Return the snapshots of a share.

    Each has a name (its time on the NAS's clock), a description, and whether it is locked and was scheduled.
    """
    params = {"name": share, "additional": ["desc", "lock", "schedule_snapshot"], "offset": 0, "limit": -1}
    data = client.read(calls.SNAPSHOT_LIST, params, f"the snapshots of share {share}")
    return [
        {
            "name": row["time"],
            "description": row.get("desc", ""),
            "locked": bool(row.get("lock")),
            "scheduled": bool(row.get("schedule_snapshot")),
        }
        for row in data["snapshots"]
    ]


def clone(client: Client, share: str, snapshot: str, new: str) -> None:
    """Create the share `new` with the content that `share` had at a snapshot, on the same volume."""
    volume = storage(client).shares[share].volume
    info = {"name": new, "vol_path": volume, "name_org": share}
    client.write(calls.SHARE_CLONE, {"name": new, "snapshot": snapshot, "shareinfo": info}, f"share {new}")


def change(client: Client, planned: snapshot_plan.Change) -> None:
    """Write the schedule, the retention or the visibility of a share's snapshots."""
    subject = f"the snapshots of share {planned.share}"
    if planned.schedule is not None:
        client.write(calls.SNAPSHOT_SCHEDULE_SET, snapshot_plan.to_schedule(planned), subject)
    elif planned.visible is not None:
        client.write(calls.SNAPSHOT_CONF_SET, snapshot_plan.to_conf(planned), subject)
    else:
        client.write(calls.RETENTION_SET, snapshot_plan.to_retention(planned), subject)
