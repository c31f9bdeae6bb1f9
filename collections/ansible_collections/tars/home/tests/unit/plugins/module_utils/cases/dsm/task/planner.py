# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of scheduled tasks."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import task
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Planner

OWN_ACCOUNT = "tars-admin"

PLANNER = Planner(
    lambda case: [task.from_api(task.from_row(row), row) for row in case["current"]],
    lambda case, current: task.plan(current, case["desired"], OWN_ACCOUNT),
    task.predict,
)
