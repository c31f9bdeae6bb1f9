# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the access to shares."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.dsm.plans import permission
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _permissions(case: Case) -> dict[str, dict[permission.Principal, permission.Entry]]:
    return {
        name: dict(permission.entry_from_row(kind, row) for kind, table in rows.items() for row in table)
        for name, rows in case["current"].items()
    }


PLANNER = Planner(_permissions, lambda case, current: permission.plan(current, case["desired"]), permission.predict)
