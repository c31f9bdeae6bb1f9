# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses

import pytest
from ansible_collections.tars.home.plugins.module_utils import nfs_units
from ansible_collections.tars.home.plugins.module_utils.nfs_units import Mount, Plan, Present
from hypothesis import given
from hypothesis import strategies as st

DOCS = Mount("srv-docs", "nas:/volume1/docs", "/srv/docs", ("ro", "soft"), 15, 600)
FILES = nfs_units.unit_files(DOCS)
UP = Present(FILES, frozenset({"srv-docs.automount"}), frozenset({"srv-docs.automount", "srv-docs.mount"}))
CHANGED = dataclasses.replace(DOCS, idle_timeout_s=0)
START = ("srv-docs.automount",)


def with_files(present: Present, **files: str) -> Present:
    return dataclasses.replace(present, files={**present.files, **files})


CASES = {
    "nothing there": (Present({}, frozenset(), frozenset()), [DOCS], Plan(write=tuple(FILES.items()), start=START)),
    "all well": (UP, [DOCS], Plan()),
    "idle, so only the automount is active": (
        dataclasses.replace(UP, active=frozenset(START)),
        [DOCS],
        Plan(),
    ),
    "stopped by hand": (dataclasses.replace(UP, active=frozenset()), [DOCS], Plan(start=START)),
    "disabled by hand": (dataclasses.replace(UP, enabled=frozenset()), [DOCS], Plan(start=START)),
    "another setting": (
        UP,
        [CHANGED],
        Plan(
            stop=("srv-docs.automount", "srv-docs.mount"),
            write=(("srv-docs.automount", nfs_units.unit_files(CHANGED)["srv-docs.automount"]),),
            start=START,
        ),
    ),
    "no longer wanted": (
        UP,
        [],
        Plan(stop=("srv-docs.automount", "srv-docs.mount"), delete=("srv-docs.automount", "srv-docs.mount")),
    ),
    "someone else's unit stays": (with_files(UP, **{"mnt-usb.mount": "[Mount]\n"}), [DOCS], Plan()),
}


@pytest.mark.parametrize(("present", "mounts", "expected"), CASES.values(), ids=CASES)
def test_plan(present, mounts, expected):
    assert nfs_units.plan(present, mounts) == expected


def test_someone_elses_unit_of_a_wanted_name_is_refused():
    with pytest.raises(nfs_units.NfsUnitError, match=r"srv-docs.mount was written by someone else"):
        nfs_units.plan(with_files(UP, **{"srv-docs.mount": "[Mount]\n"}), [DOCS])


def apply(present: Present, plan: Plan) -> Present:
    files = {name: text for name, text in present.files.items() if name not in plan.delete}
    files.update(plan.write)
    enabled = (present.enabled - set(plan.delete)) | set(plan.start)
    active = (present.active - set(plan.stop)) | set(plan.start)
    return Present(files, frozenset(enabled), frozenset(active))


names = st.sampled_from(["srv-a", "srv-b", r"srv-c\x2dd"])
mounts = st.lists(
    st.builds(
        Mount,
        names,
        st.sampled_from(["n:/x", "n:/y"]),
        st.just("/srv/a"),
        st.just(("ro",)),
        st.just(15),
        st.integers(0, 1),
    ),
    unique_by=lambda mount: mount.name,
)


@given(mounts, mounts, st.sets(names), st.sets(names))
def test_after_the_plan_nothing_is_left_to_do(before, after, enabled, active):
    present = Present(
        {name: text for mount in before for name, text in nfs_units.unit_files(mount).items()},
        frozenset(f"{name}.automount" for name in enabled),
        frozenset(f"{name}.automount" for name in active),
    )
    assert not nfs_units.plan(apply(present, nfs_units.plan(present, after)), after)


def test_percent_signs_are_no_specifiers_of_systemd():
    files = nfs_units.unit_files(dataclasses.replace(DOCS, source="nas:/100%"))
    assert "What=nas:/100%%\n" in files["srv-docs.mount"]


def test_timeouts_are_tenths_of_a_second():
    assert nfs_units.options(True, 5, 2, ["vers=4.1"])[:4] == ("ro", "soft", "timeo=50", "retrans=2")
    assert nfs_units.options(False, 5, 2, ["vers=4.1"])[::8] == ("rw", "vers=4.1")


def test_what_is_written_to_waits_for_its_server():
    assert "hard" in nfs_units.options(False, 5, 2, []) and "soft" not in nfs_units.options(False, 5, 2, [])


def test_refused_mounts_in_a_row_do_not_end_the_automount():
    assert "\nStartLimitIntervalSec=0\n" in FILES["srv-docs.mount"].partition("[Mount]")[0]


def test_states_as_systemctl_shows_them():
    show = (
        "Id=srv-docs.automount\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=srv-docs.mount\nActiveState=inactive\nUnitFileState=static\n\n"
        "Id=srv-x.automount\nActiveState=inactive\nUnitFileState=\n"
    )
    assert nfs_units.parse_states(show) == (frozenset(START), frozenset(START))
