# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the NAS's address."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import address
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _ports(case: Case) -> dict[str, address.Port]:
    return address.from_api({case["wrapped"]: case["ports"]} if "wrapped" in case else case["ports"])


def _plan_address(case: Case, ports: address.Ports) -> list[address.Change]:
    place = address.Place(address.carrier(_ports(case), case["peer"]), **case["place"])
    return address.plan(ports, address.Desired(**case["desired"]), place)


PLANNER = Planner(_ports, _plan_address, address.predict, send=address.to_api)
