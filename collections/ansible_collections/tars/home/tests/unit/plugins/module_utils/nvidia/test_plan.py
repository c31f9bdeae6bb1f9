# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps to a loaded driver leave nothing to do, from any state; cases/nvidia has single states."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia import plan as nvidia_plan
from ansible_collections.tars.home.plugins.module_utils.nvidia import units as nvidia_units
from ansible_collections.tars.home.plugins.module_utils.nvidia.cards import Card
from ansible_collections.tars.home.plugins.module_utils.nvidia.driver import (
    LATER,
    CardError,
    Driver,
    DriverError,
    Goal,
    State,
)
from ansible_collections.tars.home.plugins.module_utils.nvidia.facts import Facts
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import Now, Sources, Wanted
from ansible_collections.tars.home.tests.unit.plugins.module_utils.cases.nvidia.driver.planner import DRIVER
from ansible_collections.tars.home.tests.unit.plugins.module_utils.cases.nvidia.sources.planner import KEY
from hypothesis import given
from hypothesis import strategies as st

NOW = st.builds(
    Now,
    st.dictionaries(
        st.sampled_from([KEY, apt_sources.FILE, nvidia_plan.PIN_FILE, nvidia_plan.NOUVEAU_FILE]), st.text()
    ),
    st.booleans(),
    st.dictionaries(st.sampled_from(["nvidia-open", "toolkit"]), st.sampled_from(["535.1", "580.1", "1"])),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(NOW, st.sampled_from([Sources(), Sources("deb"), Sources("deb", {KEY: "https://x"})]))
def test_sources_need_no_second_pass(now: Now, wanted: Sources) -> None:
    assert nvidia_plan.plan_sources(nvidia_plan.predict(now, nvidia_plan.plan_sources(now, wanted)), wanted) == []


@given(NOW, st.builds(Wanted, st.just(DRIVER), st.sampled_from([(), ("toolkit",)]), st.booleans()))
def test_a_driver_needs_no_second_pass(now: Now, wanted: Wanted) -> None:
    steps = nvidia_plan.plan_driver(now, wanted)
    assert nvidia_plan.plan_driver(nvidia_plan.predict(now, steps, DRIVER), wanted) == []


GOAL = Goal(repositories=[apt_sources.Repository("x", "https://nvidia.example/deb/", "https://nvidia.example/gpgkey")])
CARD = Card("0000:01:00.0", 0x2484, None)
BARE = State(Facts("6.12", (CARD,)), Now(lists=False))
OFFERED = {"nvidia-open": ["580.95.05-1"], "nvidia-container-toolkit": ["1.20.0-1"], "linux-headers-6.12": ["6.12.1"]}


def test_a_bare_machine_reads_its_sources_before_a_driver_is_chosen() -> None:
    driver = Driver(GOAL)
    steps = driver.plan(BARE)
    assert [step.kind for step in steps] == ["fetch", "write", "refresh", "install"]
    assert steps[-1] == LATER
    assert driver.sources().plan(BARE) == steps[:-1]
    after = driver.predict(BARE, steps)
    assert driver.sources().plan(after) == []
    with pytest.raises(DriverError, match="found the drivers none in apt's lists, expected branch 550 or newer"):
        driver.plan(after)

    offered = replace(after, offered=OFFERED)
    assert [str(step) for step in driver.plan(offered)] == [
        "write /etc/apt/preferences.d/tars-nvidia",
        "install nvidia-open nvidia-container-toolkit linux-headers-6.12",
        "write /etc/modprobe.d/tars-nvidia.conf",
        "initramfs for a start without nouveau",
        "load nvidia",
    ]
    assert driver.plan(driver.predict(offered, driver.plan(offered))) == []


def test_a_driver_that_answers_and_its_sources_stay() -> None:
    gpu = {"name": "NVIDIA GeForce RTX 3070", "driver": "550.163.01", "power_limit_w": 220.0, "memory_mib": 8192.0}
    installed = {"nvidia-driver": "550.163.01-1", "nvidia-container-toolkit": "1.20.0-1"}
    files = {
        apt_sources.FILE: "deb",
        nvidia_plan.PIN_FILE: PIN.format(branch=550),
        nvidia_plan.NOUVEAU_FILE: nvidia_plan.NOUVEAU,
    }
    facts = Facts("6.12", (CARD,), installed, "550.163.01", (gpu,))
    state = State(facts, Now(files, installed=installed, loaded=True))
    assert Driver(GOAL).plan(state) == []
    # Another branch is asked for, which apt does not offer.
    with pytest.raises(DriverError, match="and nvidia_branch is 580"):
        Driver(replace(GOAL, branch=580, repositories=())).plan(replace(state, now=replace(state.now, files={})))


def test_a_machine_without_a_card_needs_nothing_unless_one_is_required() -> None:
    assert Driver(GOAL).plan(State(Facts("6.12"))) == []
    with pytest.raises(CardError, match="no card"):
        Driver(replace(GOAL, required=True)).plan(State(Facts("6.12")))


def test_units_are_the_toolkits_where_it_has_them() -> None:
    theirs, ours = nvidia_units.files(True), nvidia_units.files(False)
    assert theirs.keys() == ours.keys()
    assert {path for path, (_, text) in theirs.items() if not text} == {
        f"{nvidia_units.FOLDER}/tars-cdi-refresh.{kind}" for kind in ("service", "path")
    }
    assert nvidia_units.units(True)[1:] == ["nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path"]
    assert nvidia_units.units(False)[1:] == ["tars-cdi-refresh.service", "tars-cdi-refresh.path"]
