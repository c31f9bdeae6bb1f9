# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the planner of a file of an image. A current state goes with the goal of its case."""

from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.docker import image_file
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

ImageFile = tuple[image_file.State, image_file.Goal]


def _image_file(case: Case) -> ImageFile:
    recorded = case["desired"].get("recorded", {})
    goal = image_file.Goal("restic/restic:1", "/usr/bin/restic", "/opt/restic", 0o755, recorded)
    return image_file.State(**case["current"]), goal


PLANNER = Planner(
    _image_file,
    lambda case, current: image_file.plan(*current),
    lambda current, changes: (image_file.predict(current[0], changes), current[1]),
)
