# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of images and their digests. A current state goes with the goal of its case."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.docker import images
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

Images = tuple[images.State, images.Goal]


def _images(case: Case) -> Images:
    desired = case["desired"]
    goal = images.Goal(desired["images"], desired.get("recorded", {}), "recorded/images.yml")
    return images.State(case["current"]["present"], full=case["current"].get("full", "")), goal


PLANNER = Planner(
    _images,
    lambda case, current: images.plan(*current),
    lambda current, changes: (images.predict(current[0], changes, current[1]), current[1]),
)
