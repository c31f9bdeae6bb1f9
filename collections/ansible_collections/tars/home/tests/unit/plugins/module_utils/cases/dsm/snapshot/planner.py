# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of snapshots."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import snapshot
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _snapshots(case: Case) -> snapshot.Nas:
    rows: dict[str, dict[str, Any]] = case["current"]
    return snapshot.Nas(
        {name: row["file_system"] for name, row in rows.items()},
        {
            name: snapshot.from_api(row.get("schedule", {}), row.get("retention", {}), row.get("conf"))
            for name, row in rows.items()
        },
    )


PLANNER = Planner(_snapshots, lambda case, current: snapshot.plan(current, case["desired"]), snapshot.predict)
