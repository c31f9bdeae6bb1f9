# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of Compose projects: the services of a file, and their containers."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.docker import compose
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _project(case: Case) -> compose.State:
    return compose.State(case["desired"], [compose.Container(**container) for container in case["current"]])


PLANNER = Planner(_project, lambda case, state: compose.plan(state, "tars"), compose.predict)
