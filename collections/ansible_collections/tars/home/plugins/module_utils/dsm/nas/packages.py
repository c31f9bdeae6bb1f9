# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of a NAS as the planner's values: reading them, and waiting until one has started or stopped."""

from __future__ import annotations

from collections.abc import Collection

from ..client.client import Client
from ..errors import ConnectionLost
from ..plans import package as plan

PACKAGE = "SYNO.Core.Package"
CONTROL = "SYNO.Core.Package.Control"
# Seconds between two looks at a package on its way.
PAUSE_S = 1.0


def packages(client: Client) -> dict[str, plan.Package]:
    """Every installed package by DSM's name of it."""
    rows = client.read(PACKAGE, "list", 2, {"additional": ["status", "startable"]})["packages"]
    found = [plan.from_row(row) for row in rows]
    return {package.id: package for package in found}


def settled(client: Client, names: Collection[str], wait: int) -> dict[str, plan.Package]:
    """As `packages`, once none of these is on its way any more, or after `wait` seconds."""
    found = packages(client)
    for _ in range(wait):
        if not any(name in found and found[name].status in plan.PASSING for name in names):
            break
        client.sleep(PAUSE_S)
        found = packages(client)
    return found


def change_package(client: Client, wait: int, change: plan.Change) -> None:
    """Start or stop it, and wait until it has: DSM answers before that. Reading back tells if it never did."""
    try:
        client.write(CONTROL, change.action, 1, {"id": change.id}, f"package {change.id}")
    except ConnectionLost:
        if not _arrives(client, wait, change):
            raise
        return
    _arrives(client, wait, change)


def _arrives(client: Client, wait: int, change: plan.Change) -> bool:
    for _ in range(wait):
        package = packages(client).get(change.id)
        if package and package.status not in plan.PASSING and package.running == (change.action == "start"):
            return True
        client.sleep(PAUSE_S)
    return False
