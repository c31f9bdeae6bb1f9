# SPDX-License-Identifier: GPL-3.0-or-later
"""The planners of a machine's network, names, files, packages and mounts."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dns import dnsmasq
from ansible_collections.tars.home.plugins.module_utils.network import address, firewall
from ansible_collections.tars.home.plugins.module_utils.network.renderer import Desired
from ansible_collections.tars.home.plugins.module_utils.system import apt, files, nfs_units
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.planner import Case, Planner

Addressed = tuple[address.Interface, Desired]


def _address(case: Case) -> Addressed:
    current = {**case["current"], "addresses": tuple(case["current"]["addresses"])}
    interface = address.Interface(name="eth0", mac="02:00:5e:00:00:0a", **current)
    return interface, Desired(**case["desired"])


COMPLETE = firewall.State("rules", "text", firewall.UNIT_TEXT, firewall.DROP_IN_TEXT, True, True)


def _firewall(case: Case) -> firewall.Firewall:
    return firewall.Firewall(dataclasses.replace(COMPLETE, **case["current"]), COMPLETE)


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


def _files(case: Case) -> files.State:
    return {item["path"]: files.desired_entry(item) for item in case["current"]}


def _mounts(items: list[dict[str, Any]]) -> list[nfs_units.Mount]:
    return [nfs_units.Mount(options=("ro",), mount_timeout_s=15, **item) for item in items]


def _units(case: Case) -> nfs_units.Units:
    current = case["current"]
    mounts = _mounts(current.get("mounts", []))
    unit_files = {name: text for mount in mounts for name, text in nfs_units.unit_files(mount).items()}
    automounts = [f"{mount.name}.automount" for mount in mounts]
    return nfs_units.Units(
        {**unit_files, **current.get("files", {})},
        frozenset(current.get("enabled", automounts)),
        frozenset(current.get("active", unit_files)),
        frozenset(current.get("units_masked", [])),
    )


PLANNERS: dict[str, Planner] = {
    "network/address": Planner(
        _address,
        lambda case, current: address.plan(*current),
        lambda current, changes: (address.predict(current[0], current[1], changes), current[1]),
    ),
    "network/firewall": Planner(
        _firewall,
        lambda case, current: firewall.plan(current),
        firewall.predict,
    ),
    "dns/zone": Planner(
        _zone,
        lambda case, current: dnsmasq.resource(current[1]).plan(current[0]),
        lambda current, changes: (dnsmasq.resource(current[1]).predict(current[0], changes), current[1]),
    ),
    "system/files": Planner(
        _files,
        lambda case, current: files.plan(current, [files.desired_entry(item) for item in case["desired"]]),
        files.predict,
    ),
    "system/packages": Planner(
        lambda case: apt.installed(case["current"]),
        lambda case, current: apt.plan(current, list(dict.fromkeys(case["desired"]))),
        apt.predict,
    ),
    "system/nfs_mounts": Planner(
        _units,
        lambda case, current: nfs_units.plan(
            current, _mounts(case["desired"]["mounts"]), case["desired"].get("masked", ())
        ),
        nfs_units.predict,
    ),
}
