# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of a NAS: read them as the planner's values, start or stop one and wait until it has."""

from __future__ import annotations

from collections.abc import Collection

from .. import calls
from ..client.client import Client
from ..errors import ConnectionLostError
from ..plans import package as package_plan

PAUSE_S = 1.0
"""Seconds between two reads of a package that starts or stops."""
_CALLS = {"start": calls.PACKAGE_START, "stop": calls.PACKAGE_STOP}


def packages(client: Client) -> dict[str, package_plan.Package]:
    """Return every installed package by DSM's name of it."""
    rows = client.read(calls.PACKAGE_LIST, {"additional": ["status", "startable"]})["packages"]
    installed = [package_plan.from_row(row) for row in rows]
    return {package.id: package for package in installed}


def settled(client: Client, names: Collection[str], wait_s: int) -> dict[str, package_plan.Package]:
    """Return the packages once none of the named ones is in transition, or after `wait_s` seconds."""
    current = packages(client)
    for _ in range(wait_s):
        if not any(name in current and current[name].status in package_plan.TRANSITIONAL for name in names):
            break
        client.sleep(PAUSE_S)
        current = packages(client)
    return current


def change_package(client: Client, wait_s: int, change: package_plan.Change) -> None:
    """Start or stop a package and wait until it has, since DSM answers earlier. Reading back shows if it never did."""
    try:
        client.write(_CALLS[change.action], {"id": change.id}, f"package {change.id}")
    except ConnectionLostError:
        if not _wait(client, wait_s, change):
            raise
        return
    _wait(client, wait_s, change)


def _wait(client: Client, wait_s: int, change: package_plan.Change) -> bool:
    """Tell whether the package reached the state of the change within `wait_s` seconds."""
    for _ in range(wait_s):
        package = packages(client).get(change.id)
        running = change.action == "start"
        if package and package.status not in package_plan.TRANSITIONAL and package.running == running:
            return True
        client.sleep(PAUSE_S)
    return False
