# SPDX-License-Identifier: GPL-3.0-or-later
"""Every planner against its case files: the planned changes or all problems, and an empty second plan.

A folder cases/AREA/PLANNER has the cases of a planner, and in planner.py how a case is given to it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from ansible_collections.tars.home.plugins.module_utils.resource.errors import ResourceError
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planner import Case, Planner

FOLDER = Path(__file__).with_name("cases")
PLANS = Path(__file__).parents[4] / "plugins/module_utils/dsm/plans"


PACKAGE = "ansible_collections.tars.home.tests.unit.plugins.module_utils.cases"
PLANNERS = {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*/planner.py")}
CASES = {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in sorted(FOLDER.glob("*/*/*.yml"))}


def test_every_planner_has_cases_and_no_case_lacks_a_planner() -> None:
    assert {case.rpartition("/")[0] for case in CASES} == PLANNERS


def test_every_plan_of_a_dsm_module_has_cases() -> None:
    plans = {f"dsm/{path.stem}" for path in PLANS.glob("*.py") if "def plan(" in path.read_text()}
    assert plans == {name for name in PLANNERS if name.startswith("dsm/")}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case: Case = yaml.safe_load(CASES[name].read_text())
    tested: Planner = import_module(f"{PACKAGE}.{'.'.join(name.split('/')[:2])}.planner").PLANNER
    current = tested.current(case)
    if "problems" in case:
        with pytest.raises(ResourceError) as caught:
            tested.plan(case, current)
        problems = getattr(caught.value, "problems", [str(caught.value)])
        assert len(problems) == len(case["problems"]), problems
        assert [part for part in case["problems"] if part not in str(caught.value)] == []
        return
    changes = tested.plan(case, current)
    assert [str(change) for change in changes] == case["changes"]
    if "sent" in case:
        assert tested.send is not None
        assert [tested.send(change) for change in changes] == case["sent"]
    replan = tested.replan or tested.plan
    assert list(replan(case, tested.predict(current, changes))) == []
