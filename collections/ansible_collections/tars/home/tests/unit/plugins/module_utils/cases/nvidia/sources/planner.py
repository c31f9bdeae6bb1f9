# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of apt's sources for the NVIDIA driver. Files are named by FILES."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import Now, Sources, Step, plan_sources, predict
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

KEY = "/etc/apt/keyrings/tars-x.asc"
FILES = {"key": KEY, "sources": apt_sources.FILE}


def _now(case: Case) -> Now:
    current = dict(case["current"])
    return Now({FILES[name]: text for name, text in current.pop("files", {}).items()}, **current)


def _plan(case: Case, now: Now) -> list[Step]:
    keys = {FILES[name]: url for name, url in case["desired"].get("keys", {}).items()}
    return plan_sources(now, Sources(case["desired"].get("text", ""), keys))


PLANNER = Planner(_now, _plan, predict)
