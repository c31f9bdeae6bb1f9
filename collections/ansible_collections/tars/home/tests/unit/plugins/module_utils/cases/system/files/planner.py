# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of files and folders."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.system import files
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner


def _files(case: Case) -> files.State:
    return {item["path"]: files.desired_entry(item) for item in case["current"]}


PLANNER = Planner(
    _files,
    lambda case, current: files.plan(current, [files.desired_entry(item) for item in case["desired"]]),
    files.predict,
)
