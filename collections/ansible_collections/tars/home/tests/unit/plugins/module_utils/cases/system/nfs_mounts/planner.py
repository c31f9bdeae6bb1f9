# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of NFS mounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.system import nfs_units
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _mounts(items: list[dict[str, Any]]) -> list[nfs_units.Mount]:
    return [nfs_units.Mount(options=("ro",), mount_timeout_s=15, **item) for item in items]


def _units(case: Case) -> nfs_units.Units:
    current = case["current"]
    mounts = _mounts(current.get("mounts", []))
    unit_files = {name: text for mount in mounts for name, text in nfs_units.unit_files(mount).items()}
    automounts = [f"{mount.name}.automount" for mount in mounts]
    return nfs_units.Units(
        {**unit_files, **current.get("files", {})},
        frozenset(current.get("enabled", automounts)),
        frozenset(current.get("active", unit_files)),
        frozenset(current.get("units_masked", [])),
    )


PLANNER = Planner(
    _units,
    lambda case, current: nfs_units.plan(
        current, _mounts(case["desired"]["mounts"]), case["desired"].get("masked", ())
    ),
    nfs_units.predict,
)
