# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps to a driver that holds the cards: by cases, and that they leave nothing to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources as nvidia_sources
from ansible_collections.tars.home.plugins.module_utils.nvidia import plan as nvidia_plan
from ansible_collections.tars.home.plugins.module_utils.nvidia import units as nvidia_units
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN, Choice
from ansible_collections.tars.home.plugins.module_utils.nvidia.plan import Now, Step, Wanted
from hypothesis import given
from hypothesis import strategies as st

DRIVER = Choice(580, "open", ("nvidia-open",))
KEY = "/etc/apt/keyrings/tars-x.asc"


def carried_out(now: Now, wanted: Wanted, steps: list[Step]) -> Now:
    """What a machine has after the steps."""
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
    return replace(now, files=files, installed=installed)


def kinds(now: Now, wanted: Wanted) -> list[str]:
    return [str(step) for step in nvidia_plan.plan(now, wanted)]


def test_a_bare_machine_reads_its_sources_first() -> None:
    assert kinds(Now(), Wanted("deb", {KEY: "https://x"}, DRIVER)) == [
        f"fetch {KEY}",
        f"write {nvidia_sources.FILE}",
        "refresh apt's lists",
        "install the driver that apt then offers",
    ]


def test_then_it_gets_the_driver_before_nouveau_is_kept_away() -> None:
    assert kinds(Now(free=False), Wanted(choice=DRIVER, others=("nvidia-container-toolkit",))) == [
        f"write {nvidia_plan.PIN_FILE}",
        "install nvidia-open nvidia-container-toolkit",
        f"write {nvidia_plan.NOUVEAU_FILE}",
        "initramfs for a start without nouveau",
    ]


HAS = Now({nvidia_plan.PIN_FILE: PIN.format(branch=580), nvidia_plan.NOUVEAU_FILE: nvidia_plan.NOUVEAU}, loaded=True)


@pytest.mark.parametrize(
    ("now", "wanted", "steps"),
    [
        (replace(HAS, installed={"nvidia-open": "580.95.05-1"}), Wanted(choice=DRIVER), []),
        (replace(HAS, installed={"nvidia-open": "535.1-1"}), Wanted(choice=DRIVER), ["install nvidia-open"]),
        # An interrupted run wrote the file and did not come to the disk.
        (
            replace(HAS, installed={"nvidia-open": "580.1-1"}, initrd=False),
            Wanted(choice=DRIVER),
            ["initramfs for a start without nouveau"],
        ),
        # A driver that works and is not from apt: nothing is held, nothing is kept away.
        (Now(loaded=True), Wanted(choice=Choice(575, "", ()), adopted=True), []),
        # The owner has entries of their own by now.
        (
            replace(HAS, files={**HAS.files, nvidia_sources.FILE: "old"}, installed={"nvidia-open": "580.1-1"}),
            Wanted(choice=DRIVER),
            [f"remove {nvidia_sources.FILE}"],
        ),
    ],
)
def test_what_is_there_is_not_done_again(now: Now, wanted: Wanted, steps: list[str]) -> None:
    assert kinds(now, wanted) == steps


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
    for _ in range(2):
        now = carried_out(now, wanted, nvidia_plan.plan(now, wanted))
    assert nvidia_plan.plan(now, wanted) == []


def test_units_are_the_toolkits_where_it_has_them() -> None:
    theirs, ours = nvidia_units.files(True), nvidia_units.files(False)
    assert theirs.keys() == ours.keys()
    assert {path for path, (_, text) in theirs.items() if not text} == {
        f"{nvidia_units.FOLDER}/tars-cdi-refresh.{kind}" for kind in ("service", "path")
    }
    assert nvidia_units.units(True)[1:] == ["nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path"]
    assert nvidia_units.units(False)[1:] == ["tars-cdi-refresh.service", "tars-cdi-refresh.path"]
