# SPDX-License-Identifier: GPL-3.0-or-later
"""Every planner against its case files: the planned changes or all problems, and an empty second plan."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.tars.home.plugins.module_utils.resource.errors import ResourceError
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners import docker, dsm, host, nvidia, ollama
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.planner import Case, Planner

PLANNERS: dict[str, Planner] = {
    **docker.PLANNERS,
    **dsm.PLANNERS,
    **host.PLANNERS,
    **nvidia.PLANNERS,
    **ollama.PLANNERS,
}
FOLDER = Path(__file__).with_name("cases")
CASES = {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in sorted(FOLDER.glob("*/*/*.yml"))}


def test_every_planner_has_cases_and_no_case_lacks_a_planner() -> None:
    assert {case.rpartition("/")[0] for case in CASES} == set(PLANNERS)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case: Case = yaml.safe_load(CASES[name].read_text())
    planner = PLANNERS[name.rpartition("/")[0]]
    current = planner.current(case)
    if "problems" in case:
        with pytest.raises(ResourceError) as caught:
            planner.plan(case, current)
        problems = getattr(caught.value, "problems", [str(caught.value)])
        assert len(problems) == len(case["problems"]), problems
        assert [part for part in case["problems"] if part not in str(caught.value)] == []
        return
    changes = planner.plan(case, current)
    assert [str(change) for change in changes] == case["changes"]
    if "sent" in case:
        assert planner.send is not None
        assert [planner.send(change) for change in changes] == case["sent"]
    replan = planner.replan or planner.plan
    assert list(replan(case, planner.predict(current, changes))) == []
