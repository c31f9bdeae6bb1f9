# SPDX-License-Identifier: GPL-3.0-or-later
"""The planners of the NVIDIA driver, and of the description of the cards for containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources, cdi, units
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import TOOLKIT, Facts
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN, Choice
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import (
    NOUVEAU,
    NOUVEAU_FILE,
    PIN_FILE,
    Now,
    Step,
    Wanted,
    plan,
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


def predict(state: tuple[Now, Wanted], steps: Sequence[Step]) -> tuple[Now, Wanted]:
    """Return the machine after the steps, in which apt offers DRIVER, and what it should have."""
    now, wanted = state
    files, installed = dict(now.files), dict(now.installed)
    for step in steps:
        if step.kind in ("write", "fetch"):
            files[step.subject] = step.text if step.kind == "write" else ""
        elif step.kind == "remove":
            del files[step.subject]
        elif step.kind == "refresh":
            now = replace(now, lists=True)
        elif step.kind == "install" and wanted.choice:
            installed.update({name: "580.95.05-1" if "nvidia" in name else "1" for name in step.subject.split()})
        elif step.kind == "initramfs":
            now = replace(now, initrd=True)
        elif step.kind == "load":
            now = replace(now, loaded=True)
    return replace(now, files=files, installed=installed), wanted


def second_pass(state: tuple[Now, Wanted]) -> list[Step]:
    """Return the steps that are left after one more pass, for a plan that had apt read its sources in between."""
    return plan(*predict(state, plan(*state)))


def _replan(case: Case, state: tuple[Now, Wanted]) -> list[Step]:
    return second_pass(state) if "refresh apt's lists" in case["changes"] else plan(*state)


def _driver(case: Case) -> tuple[Now, Wanted]:
    """Return the state of a case: files are named by PATHS, and their text is `desired` or literal."""
    current, desired = dict(case["current"]), dict(case["desired"])
    files = {
        PATHS[name]: DESIRED[name] if text == "desired" else text for name, text in current.pop("files", {}).items()
    }
    keys = {PATHS[name]: url for name, url in desired.pop("keys", {}).items()}
    # The packages of a driver that was installed without apt are not known.
    choice = replace(DRIVER, packages=()) if desired.get("adopted") else DRIVER
    others = tuple(desired.pop("others", ()))
    return Now(files, **current), Wanted(keys=keys, choice=choice, others=others, **desired)


PLANNERS: dict[str, Planner] = {
    "nvidia/cdi": Planner(_cdi, lambda case, state: cdi.plan(state), cdi.predict),
    "nvidia/driver": Planner(_driver, lambda case, state: plan(*state), predict, _replan),
}
