# SPDX-License-Identifier: GPL-3.0-or-later
"""The planners of the DSM modules."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import (
    account,
    address,
    certificate,
    firewall,
    nfs,
    package,
    permission,
    share,
    snapshot,
    system,
    task,
)
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.planner import Case, Planner

OWN_ACCOUNT = "tars-admin"
CONTROLLER = firewall.Access("10.77.0.1", [5001, 22])


def _directory(case: Case) -> account.Directory:
    current = case["current"]
    users = [
        account.user_from_row(
            row, [group["name"] for group in current["groups"] if row["name"] in group.get("members", [])]
        )
        for row in current["users"]
    ]
    groups = [account.group_from_row(row) for row in current["groups"]]
    return account.Directory({user.name: user for user in users}, {group.name: group for group in groups})


def _ports(case: Case) -> dict[str, address.Port]:
    return address.from_api({case["wrapped"]: case["ports"]} if "wrapped" in case else case["ports"])


def _plan_address(case: Case, ports: address.Ports) -> list[address.Change]:
    place = address.Place(address.carrier(_ports(case), case["peer"]), **case["place"])
    return address.plan(ports, address.Desired(**case["desired"]), place)


def _plan_firewall(case: Case, current: firewall.Firewall) -> list[firewall.Change]:
    desired = case["desired"]
    return firewall.plan(current, desired["sections"], desired.get("enabled"), CONTROLLER)


def _plan_nfs(case: Case, current: nfs.Nfs) -> list[nfs.Change]:
    desired = case["desired"]
    exports = [
        (export["share"], [nfs.rule_from_options(rule) for rule in export["rules"]])
        for export in desired.get("exports", [])
    ]
    return nfs.plan(current, exports, desired.get("enabled"), desired.get("nfsv4_minor"))


def _plan_system(case: Case, current: system.System) -> list[system.Change]:
    zones = {"zonedata": [{"value": zone} for zone in case.get("zones", [])]}
    return system.plan(current, case["desired"], system.limits_from_api(case["network"], zones))


def _permissions(case: Case) -> dict[str, dict[permission.Principal, permission.Entry]]:
    return {
        name: dict(permission.entry_from_row(kind, row) for kind, table in rows.items() for row in table)
        for name, rows in case["current"].items()
    }


def _snapshots(case: Case) -> snapshot.Nas:
    rows: dict[str, dict[str, Any]] = case["current"]
    return snapshot.Nas(
        {name: row["file_system"] for name, row in rows.items()},
        {name: snapshot.from_api(row.get("schedule", {}), row.get("retention", {})) for name, row in rows.items()},
    )


PLANNERS = {
    "dsm/account": Planner(
        _directory,
        lambda case, current: account.plan(current, case["users"], case["groups"], OWN_ACCOUNT),
        account.predict,
        replan=lambda case, current: account.plan(
            current, case["users"], case["groups"], OWN_ACCOUNT, case.get("written", ())
        ),
    ),
    "dsm/address": Planner(_ports, _plan_address, address.predict, send=address.to_api),
    "dsm/certificate": Planner(
        lambda case: certificate.from_api({"certificates": case["certificates"]}, case["shown"]),
        lambda case, current: certificate.plan(current, "household", case.get("desired", "new")),
        certificate.predict,
    ),
    "dsm/firewall": Planner(
        lambda case: firewall.Firewall(
            case["enabled"], "default", firewall.sections_from_api(case["profile"]), case.get("adapters", [])
        ),
        _plan_firewall,
        firewall.predict,
    ),
    "dsm/nfs": Planner(
        lambda case: nfs.Nfs(
            nfs.service_from_api(case["service"]),
            {name: tuple(nfs.rule_from_api(row) for row in rows) for name, rows in case["current"].items()},
        ),
        _plan_nfs,
        nfs.predict,
    ),
    "dsm/package": Planner(
        lambda case: {row["id"]: package.from_row(row) for row in case["current"]},
        lambda case, current: package.plan(current, case["desired"]),
        package.predict,
    ),
    "dsm/permission": Planner(
        _permissions, lambda case, current: permission.plan(current, case["desired"]), permission.predict
    ),
    "dsm/share": Planner(
        lambda case: share.Storage(case["volumes"], {row["name"]: share.from_row(row) for row in case["current"]}),
        lambda case, current: share.plan(current, case["desired"]),
        share.predict,
    ),
    "dsm/snapshot": Planner(
        _snapshots, lambda case, current: snapshot.plan(current, case["desired"]), snapshot.predict
    ),
    "dsm/system": Planner(
        lambda case: system.from_api(*(case[group] for group in system.GROUPS)), _plan_system, system.predict
    ),
    "dsm/task": Planner(
        lambda case: [task.from_api(task.from_row(row), row) for row in case["current"]],
        lambda case, current: task.plan(current, case["desired"], OWN_ACCOUNT),
        task.predict,
    ),
}
