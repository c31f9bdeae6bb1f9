# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the NAS's firewall."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import firewall
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

CONTROLLER = firewall.Access("10.77.0.1", [5001, 22])


def _plan_firewall(case: Case, current: firewall.Firewall) -> list[firewall.Change]:
    desired = case["desired"]
    return firewall.plan(current, desired["sections"], desired.get("enabled"), CONTROLLER)


PLANNER = Planner(
    lambda case: firewall.Firewall(
        case["enabled"], "default", firewall.sections_from_api(case["profile"]), case.get("adapters", [])
    ),
    _plan_firewall,
    firewall.predict,
)
