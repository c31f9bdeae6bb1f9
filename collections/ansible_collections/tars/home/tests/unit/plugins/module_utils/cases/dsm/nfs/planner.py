# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of NFS exports."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import nfs
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _plan_nfs(case: Case, current: nfs.Nfs) -> list[nfs.Change]:
    desired = case["desired"]
    exports = [
        (export["share"], [nfs.rule_from_options(rule) for rule in export["rules"]])
        for export in desired.get("exports", [])
    ]
    return nfs.plan(current, exports, desired.get("enabled"), desired.get("nfsv4_minor"))


PLANNER = Planner(
    lambda case: nfs.Nfs(
        nfs.service_from_api(case["service"]),
        {name: tuple(nfs.rule_from_api(row) for row in rows) for name, rows in case["current"].items()},
    ),
    _plan_nfs,
    nfs.predict,
)
