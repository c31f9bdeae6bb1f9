# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the spec wants of the NAS, to set the number of requests against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def resources(site: Mapping[str, Any]) -> dict[str, int]:
    """Count what the spec (as plain data) wants of the NAS: whatever has a setting of its own there counts as one.

    A group of settings is what DSM keeps as one object: the network's, the clock's, the NFS service's. A share's rules
    are one, and so are its permissions. A snapshot schedule counts once, with the retention that belongs to it.
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
        "certificates": 1,
        "firewall_sections": int(bool(site.get("firewall"))),
    }
