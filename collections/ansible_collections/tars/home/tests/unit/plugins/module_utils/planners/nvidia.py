# SPDX-License-Identifier: GPL-3.0-or-later
"""The planners of the NVIDIA driver, and of the description of the cards for containers."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources, cdi, units
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import TOOLKIT, Facts
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN, Choice
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import (
    NOUVEAU,
    NOUVEAU_FILE,
    PIN_FILE,
    Now,
    Sources,
    Step,
    Wanted,
    plan_driver,
    plan_sources,
    predict,
)
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.planner import Case, Planner


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


KEY = "/etc/apt/keyrings/tars-x.asc"
PATHS = {"key": KEY, "sources": apt_sources.FILE, "pin": PIN_FILE, "nouveau": NOUVEAU_FILE}
DRIVER = Choice(580, "open", ("nvidia-open",))
DESIRED = {"pin": PIN.format(branch=DRIVER.branch), "nouveau": NOUVEAU}


def _now(case: Case) -> Now:
    """Return the current state of a case: files are named by PATHS, and their text is `desired` or literal."""
    current = dict(case["current"])
    files = {
        PATHS[name]: DESIRED[name] if text == "desired" else text for name, text in current.pop("files", {}).items()
    }
    return Now(files, **current)


def _plan_sources(case: Case, now: Now) -> list[Step]:
    keys = {PATHS[name]: url for name, url in case["desired"].get("keys", {}).items()}
    return plan_sources(now, Sources(case["desired"].get("text", ""), keys))


def _plan_driver(case: Case, now: Now) -> list[Step]:
    adopted = case["desired"].get("adopted", False)
    # The packages of a driver that was installed without apt are not known.
    choice = replace(DRIVER, packages=()) if adopted else DRIVER
    return plan_driver(now, Wanted(choice, tuple(case["desired"].get("others", ())), adopted))


PLANNERS: dict[str, Planner] = {
    "nvidia/cdi": Planner(_cdi, lambda case, state: cdi.plan(state), cdi.predict),
    "nvidia/driver": Planner(_now, _plan_driver, lambda now, steps: predict(now, steps, DRIVER)),
    "nvidia/sources": Planner(_now, _plan_sources, predict),
}
