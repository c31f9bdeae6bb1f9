# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of shares."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import share
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Planner

PLANNER = Planner(
    lambda case: share.Storage(case["volumes"], {row["name"]: share.from_row(row) for row in case["current"]}),
    lambda case, current: share.plan(current, case["desired"]),
    share.predict,
)
