# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of packages."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import package
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Planner

PLANNER = Planner(
    lambda case: {row["id"]: package.from_row(row) for row in case["current"]},
    lambda case, current: package.plan(current, case["desired"]),
    package.predict,
)
