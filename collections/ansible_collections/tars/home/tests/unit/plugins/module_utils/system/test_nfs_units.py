# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import nfs_units
from ansible_collections.tars.home.plugins.module_utils.system.nfs_units import Mount, Plan, Present
from hypothesis import given
from hypothesis import strategies as st

DOCS = Mount("srv-docs", "nas:/volume1/docs", "/srv/docs", ("ro", "soft"), 15, 600)
FILES = nfs_units.unit_files(DOCS)
UP = Present(FILES, frozenset({"srv-docs.automount"}), frozenset({"srv-docs.automount", "srv-docs.mount"}))
CHANGED = dataclasses.replace(DOCS, idle_timeout_s=0)
START = ("srv-docs.automount",)
PORT_MAPPER = ("rpcbind.socket", "rpcbind.service")


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


MASKS = {
    "not there yet": (UP, PORT_MAPPER),
    "running": (
        dataclasses.replace(UP, active=UP.active | set(PORT_MAPPER), enabled=UP.enabled | set(PORT_MAPPER)),
        PORT_MAPPER,
    ),
    "one unmasked by hand": (dataclasses.replace(UP, masked=frozenset({"rpcbind.service"})), ("rpcbind.socket",)),
    "masked while it ran": (
        dataclasses.replace(UP, masked=frozenset(PORT_MAPPER), active=UP.active | {"rpcbind.service"}),
        ("rpcbind.service",),
    ),
    "masked": (dataclasses.replace(UP, masked=frozenset(PORT_MAPPER)), ()),
}


@pytest.mark.parametrize(("present", "mask"), MASKS.values(), ids=MASKS)
def test_units_that_must_not_start(present, mask):
    plan = nfs_units.plan(present, [DOCS], PORT_MAPPER)
    assert plan == Plan(mask=mask) and bool(plan) == bool(mask)
    assert not nfs_units.plan(apply(present, plan), [DOCS], PORT_MAPPER)


def test_units_whose_state_changes_are_shown():
    present = dataclasses.replace(UP, active=frozenset({"rpcbind.socket"}))
    assert nfs_units.states(present, Plan(mask=("rpcbind.socket",), start=START)) == (
        {"rpcbind.socket": "not enabled, active", "srv-docs.automount": "enabled, not active"},
        {"rpcbind.socket": "masked, not active", "srv-docs.automount": "enabled, active"},
    )
    assert nfs_units.states(UP, Plan(stop=START, start=START)) == ({}, {})


def test_paths_that_differ_are_taken():
    nfs_units.refuse_contradictions([DOCS, dataclasses.replace(DOCS, name="srv", path="/srv")])


@pytest.mark.parametrize(
    "other",
    [
        DOCS,
        dataclasses.replace(DOCS, path="/srv/docs/", source="nas:/volume1/work"),
        dataclasses.replace(DOCS, name="-", path="/"),
        dataclasses.replace(DOCS, name="-", path="//"),
        dataclasses.replace(DOCS, name="a-b", path="a/b"),
    ],
)
def test_mounts_without_a_path_of_their_own_are_refused(other):
    with pytest.raises(nfs_units.NfsUnitError, match=f"given are /srv/docs, {other.path}. Next: "):
        nfs_units.refuse_contradictions([DOCS, other])


def test_someone_elses_unit_of_a_wanted_name_is_refused():
    with pytest.raises(nfs_units.NfsUnitError, match=r"srv-docs.mount was written by someone else"):
        nfs_units.plan(with_files(UP, **{"srv-docs.mount": "[Mount]\n"}), [DOCS])


def apply(present: Present, plan: Plan) -> Present:
    files = {name: text for name, text in present.files.items() if name not in plan.delete}
    files.update(plan.write)
    enabled = (present.enabled - set(plan.delete)) | set(plan.start)
    active = (present.active - {*plan.stop, *plan.mask}) | set(plan.start)
    return Present(files, frozenset(enabled), frozenset(active), present.masked | set(plan.mask))


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
        "Id=srv-x.automount\nActiveState=inactive\nUnitFileState=\n\n"
        "Id=rpcbind.socket\nActiveState=inactive\nUnitFileState=masked\n\n"
        "Id=rpcbind.service\nActiveState=active\nUnitFileState=masked-runtime\n"
    )
    active = {*START, "rpcbind.service"}
    assert nfs_units.parse_states(show) == (frozenset(START), frozenset(active), frozenset({"rpcbind.socket"}))
