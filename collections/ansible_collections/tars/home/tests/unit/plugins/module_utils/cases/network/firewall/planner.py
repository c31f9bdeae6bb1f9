# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a machine's firewall; a state that a case does not name is complete."""

from __future__ import annotations

import dataclasses

from ansible_collections.tars.home.plugins.module_utils.network import firewall
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

COMPLETE = firewall.State("rules", "text", firewall.UNIT_TEXT, firewall.DROP_IN_TEXT, True, True)


def _firewall(case: Case) -> firewall.Firewall:
    return firewall.Firewall(dataclasses.replace(COMPLETE, **case["current"]), COMPLETE)


PLANNER = Planner(_firewall, lambda case, current: firewall.plan(current), firewall.predict)
