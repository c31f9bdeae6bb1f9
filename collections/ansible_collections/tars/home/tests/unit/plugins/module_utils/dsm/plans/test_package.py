# SPDX-License-Identifier: GPL-3.0-or-later

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.package import Package, plan, predict, to_dict
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(["SynoFinder", "SMBService", "FileStation"])
PACKAGES = st.builds(Package, NAMES, NAMES, NAMES, st.sampled_from(["running", "stop", "starting"]), st.booleans())
DESIRED = st.fixed_dictionaries({"name": NAMES, "state": st.sampled_from(["present", "started", "stopped"])})


@given(st.lists(PACKAGES), st.lists(DESIRED, max_size=2))
def test_a_second_plan_is_empty(packages: list[Package], desired: list[dict[str, str]]) -> None:
    current = {package.id: package for package in packages}
    try:
        changes = plan(current, desired)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, desired) == []
    assert {name for name in current if current[name] != after[name]} == {change.id for change in changes}


def test_a_package_is_shown_without_dsm_terms() -> None:
    shown = to_dict({"SynoFinder": Package("SynoFinder", "Universal Search", "1.6.0", "stop", True)})
    assert shown == {"SynoFinder": {"title": "Universal Search", "version": "1.6.0", "running": False}}
