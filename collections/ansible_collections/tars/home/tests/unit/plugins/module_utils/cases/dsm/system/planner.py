# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the NAS's settings."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import system
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _plan_system(case: Case, current: system.System) -> list[system.Change]:
    zones = {"zonedata": [{"value": zone} for zone in case.get("zones", [])]}
    return system.plan(current, case["desired"], system.limits_from_api(case["network"], zones))


PLANNER = Planner(lambda case: system.from_api(*(case[group] for group in system.GROUPS)), _plan_system, system.predict)
