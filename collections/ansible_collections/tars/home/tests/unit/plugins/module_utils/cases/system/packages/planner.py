# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a machine's packages."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.system import apt
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Planner

PLANNER = Planner(
    lambda case: apt.installed(case["current"]),
    lambda case, current: apt.plan(current, list(dict.fromkeys(case["desired"]))),
    apt.predict,
)
