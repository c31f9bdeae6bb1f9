# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of settings on the NAS that the spec describes, to compare the number of requests with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def resources(site: Mapping[str, Any]) -> dict[str, int]:
    """Count the resources on the NAS that the spec describes; each separate setting of DSM counts as one.

    A group of settings is one object of DSM: network, clock, NFS service. The rules of a share count as one, and so do
    its permissions. A snapshot schedule counts once, together with its retention; so does the visibility of snapshots.
    """
    nas = next(host for host in site["hosts"].values() if host["profile"] == "ds1515plus")
    backups, shares = int(bool(site.get("backup"))), len(site["shares"])
    return {
        "setting_groups": 2 + int(bool(nas.get("clock"))),
        "shares": shares + backups,
        "rule_lists": shares + backups,
        "accounts": backups,
        "permission_sets": backups,
        "schedules": backups,
        "visibilities": 0 if site.get("history") is None else shares,
        "certificates": 1,
        "firewall_sections": int(bool(site.get("firewall"))),
    }
