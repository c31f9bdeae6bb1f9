# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the cards' description for containers."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.nvidia import cdi, units
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import TOOLKIT, Facts
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _cdi(case: Case) -> cdi.State:
    """Return the state of a case: `files` and `enabled` are `all`, `none`, or names; `old` files have another text."""
    current = case["current"]
    theirs = current["toolkit_units"]
    desired = {path: entry for path, entry in units.files(theirs).items() if entry[1]}
    present = dict(desired) if current["files"] == "all" else {}
    present.update({path: (0o644, "old\n") for path in current.get("old", ())})
    enabled = units.units(theirs) if current["enabled"] == "all" else current["enabled"]
    facts = Facts("6.12", packages={TOOLKIT: "1.18"} if current.get("toolkit", True) else {})
    return cdi.State(theirs, present, frozenset(enabled), facts, current["driver_answers"], current["described"])


PLANNER = Planner(_cdi, lambda case, state: cdi.plan(state), cdi.predict)
