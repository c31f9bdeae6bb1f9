# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a machine's address. A current state goes with the goal of its case."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.network import address
from ansible_collections.tars.home.plugins.module_utils.network.renderer import Desired
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

Addressed = tuple[address.Interface, Desired]


def _address(case: Case) -> Addressed:
    current = {**case["current"], "addresses": tuple(case["current"]["addresses"])}
    interface = address.Interface(name="eth0", mac="02:00:5e:00:00:0a", **current)
    return interface, Desired(**case["desired"])


PLANNER = Planner(
    _address,
    lambda case, current: address.plan(*current),
    lambda current, changes: (address.predict(current[0], current[1], changes), current[1]),
)
