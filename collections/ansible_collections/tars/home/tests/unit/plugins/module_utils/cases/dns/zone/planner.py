# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a zone's name server. A current state goes with the goal of its case."""

from __future__ import annotations

import dataclasses

from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

Served = tuple[dnsmasq.Machine, dnsmasq.Zone]


def _zone(case: Case) -> Served:
    current, zone = dict(case["current"]), dnsmasq.Zone(**case["desired"])
    kind = current.pop("kind")
    path = {"file": dnsmasq.RESOLV_CONF, "resolved": dnsmasq.RESOLVED_DROP_IN}.get(kind, "")
    content = current.pop("resolver", "nameserver 192.0.2.1\n")
    resolver = dnsmasq.Resolver(kind, path, content, ("192.0.2.1",), "/source")
    machine = dnsmasq.Machine("", "", resolver, running=False, at_boot=False, installed=True)
    if current.pop("complete", False):
        machine = dnsmasq.desired(machine, dataclasses.replace(zone, present=True))
    return dataclasses.replace(machine, **current), zone


PLANNER = Planner(
    _zone,
    lambda case, current: dnsmasq.resource(current[1]).plan(current[0]),
    lambda current, changes: (dnsmasq.resource(current[1]).predict(current[0], changes), current[1]),
)
