# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of the NVIDIA driver, which apt offers as DRIVER. Files are named by FILES."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN, Choice
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import (
    NOUVEAU,
    NOUVEAU_FILE,
    PIN_FILE,
    Now,
    Step,
    Wanted,
    plan_driver,
    predict,
)
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

DRIVER = Choice(580, "open", ("nvidia-open",))
FILES = {"pin": PIN_FILE, "nouveau": NOUVEAU_FILE}
DESIRED = {"pin": PIN.format(branch=DRIVER.branch), "nouveau": NOUVEAU}


def _now(case: Case) -> Now:
    """Return the current state of a case; the text of a file is `desired`."""
    current = dict(case["current"])
    names = current.pop("files", {})
    assert set(names.values()) <= {"desired"}
    return Now({FILES[name]: DESIRED[name] for name in names}, **current)


def _plan_driver(case: Case, now: Now) -> list[Step]:
    adopted = case["desired"].get("adopted", False)
    # The packages of a driver that was installed without apt are not known.
    choice = replace(DRIVER, packages=()) if adopted else DRIVER
    return plan_driver(now, Wanted(choice, tuple(case["desired"].get("others", ())), adopted))


PLANNER = Planner(_now, _plan_driver, lambda now, steps: predict(now, steps, DRIVER))
