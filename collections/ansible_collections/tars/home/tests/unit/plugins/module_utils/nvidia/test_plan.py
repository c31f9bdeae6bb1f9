# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps to a loaded driver leave nothing to do, from any state; cases/nvidia/driver has single states."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources as nvidia_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia import plan as nvidia_plan
from ansible_collections.tars.home.plugins.module_utils.nvidia import units as nvidia_units
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import Now, Wanted
from ansible_collections.tars.home.tests.unit.plugins.module_utils.planners.nvidia import (
    DRIVER,
    KEY,
    predict,
    second_pass,
)
from hypothesis import given
from hypothesis import strategies as st


@given(
    st.builds(
        Now,
        st.dictionaries(
            st.sampled_from([KEY, nvidia_sources.FILE, nvidia_plan.PIN_FILE, nvidia_plan.NOUVEAU_FILE]), st.text()
        ),
        st.booleans(),
        st.dictionaries(st.sampled_from(["nvidia-open", "toolkit"]), st.sampled_from(["535.1", "580.1", "1"])),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        Wanted,
        st.sampled_from(["", "deb"]),
        st.sampled_from([{}, {KEY: "https://x"}]),
        st.just(DRIVER),
        st.sampled_from([(), ("toolkit",)]),
        st.booleans(),
    ),
)
def test_two_passes_leave_nothing_to_do(now: Now, wanted: Wanted) -> None:
    """Two, because apt has to read its sources in between."""
    if not wanted.sources:
        wanted = replace(wanted, keys={})
    state = predict((now, wanted), nvidia_plan.plan(now, wanted))
    assert second_pass(state) == []


def test_units_are_the_toolkits_where_it_has_them() -> None:
    theirs, ours = nvidia_units.files(True), nvidia_units.files(False)
    assert theirs.keys() == ours.keys()
    assert {path for path, (_, text) in theirs.items() if not text} == {
        f"{nvidia_units.FOLDER}/tars-cdi-refresh.{kind}" for kind in ("service", "path")
    }
    assert nvidia_units.units(True)[1:] == ["nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path"]
    assert nvidia_units.units(False)[1:] == ["tars-cdi-refresh.service", "tars-cdi-refresh.path"]
