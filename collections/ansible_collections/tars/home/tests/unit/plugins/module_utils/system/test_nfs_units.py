# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import nfs_units
from ansible_collections.tars.home.plugins.module_utils.system.nfs_units import Mount, Units
from hypothesis import given
from hypothesis import strategies as st

DOCS = Mount("nas:/volume1/docs", "/srv/docs", ("ro", "soft"), 15, 600)
FILES = nfs_units.unit_files(DOCS)
UP = Units(FILES, frozenset({"srv-docs.automount"}), frozenset({"srv-docs.automount", "srv-docs.mount"}))
CHANGED = dataclasses.replace(DOCS, idle_timeout_s=0)
START = "start srv-docs.automount"
STOP = ["stop srv-docs.automount", "stop srv-docs.mount"]
PORT_MAPPER = ("rpcbind.socket", "rpcbind.service")


def with_files(present: Units, **files: str) -> Units:
    return dataclasses.replace(present, files={**present.files, **files})


CASES: dict[str, tuple[Units, list[Mount], list[str]]] = {
    "nothing exists": (
        Units({}, frozenset(), frozenset()),
        [DOCS],
        ["write srv-docs.mount", "write srv-docs.automount", START],
    ),
    "as desired": (UP, [DOCS], []),
    "idle, so only the automount is active": (
        dataclasses.replace(UP, active=frozenset(["srv-docs.automount"])),
        [DOCS],
        [],
    ),
    "stopped by hand": (dataclasses.replace(UP, active=frozenset()), [DOCS], [START]),
    "disabled by hand": (dataclasses.replace(UP, enabled=frozenset()), [DOCS], [START]),
    "another setting": (UP, [CHANGED], [*STOP, "write srv-docs.automount", START]),
    "no longer listed": (UP, [], [*STOP, "delete srv-docs.automount", "delete srv-docs.mount"]),
    "someone else's unit stays": (with_files(UP, **{"mnt-usb.mount": "[Mount]\n"}), [DOCS], []),
}


@pytest.mark.parametrize(("present", "mounts", "expected"), CASES.values(), ids=CASES)
def test_plan(present: Units, mounts: list[Mount], expected: list[str]) -> None:
    changes = nfs_units.plan(present, mounts)
    assert [str(change) for change in changes] == expected
    assert nfs_units.plan(nfs_units.predict(present, changes), mounts) == []


MASKS: dict[str, tuple[Units, tuple[str, ...]]] = {
    "not installed yet": (UP, PORT_MAPPER),
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
def test_units_that_must_not_start_are_masked(present: Units, mask: tuple[str, ...]) -> None:
    changes = nfs_units.plan(present, [DOCS], PORT_MAPPER)
    assert [str(change) for change in changes] == [f"mask {unit}" for unit in mask]
    assert nfs_units.plan(nfs_units.predict(present, changes), [DOCS], PORT_MAPPER) == []


def test_the_diff_shows_files_and_states() -> None:
    before = dataclasses.replace(UP, active=frozenset({"rpcbind.socket"}))
    after = nfs_units.predict(before, nfs_units.plan(before, [DOCS], ["rpcbind.socket"]))
    (states,) = nfs_units.diff(before, after)
    assert (states["before"], states["after"]) == (
        "rpcbind.socket: not enabled, active\nsrv-docs.automount: enabled, not active\n",
        "rpcbind.socket: masked, not active\nsrv-docs.automount: enabled, active\n",
    )
    fresh = Units({}, frozenset(), frozenset())
    after = nfs_units.predict(fresh, nfs_units.plan(fresh, [DOCS]))
    assert [entry["after_header"] for entry in nfs_units.diff(fresh, after)] == [*sorted(FILES), "systemd"]


def test_different_paths_are_accepted() -> None:
    nfs_units.refuse_contradictions([DOCS, dataclasses.replace(DOCS, path="/srv")])


@pytest.mark.parametrize("path", ["/srv/docs", "/srv/docs/", "/", "//", "a/b", "/srv/../etc", "/srv/./x"])
def test_mounts_without_a_path_of_their_own_are_refused(path: str) -> None:
    other = dataclasses.replace(DOCS, path=path, source="nas:/volume1/work")
    with pytest.raises(nfs_units.NfsUnitError, match=f"given are /srv/docs, {path}. Next: "):
        nfs_units.refuse_contradictions([DOCS, other])


def test_someone_elses_unit_of_a_desired_name_is_refused() -> None:
    with pytest.raises(nfs_units.NfsUnitError, match=r"srv-docs.mount was written by someone else"):
        nfs_units.plan(with_files(UP, **{"srv-docs.mount": "[Mount]\n"}), [DOCS])


paths = st.sampled_from(["/srv/a", "/srv/b", "/srv/c-d"])
mounts = st.lists(
    st.builds(Mount, st.sampled_from(["n:/x", "n:/y"]), paths, st.just(("ro",)), st.just(15), st.integers(0, 1)),
    unique_by=lambda mount: mount.path,
)


@given(mounts, mounts, st.sets(paths), st.sets(paths))
def test_a_second_plan_is_empty(before: list[Mount], after: list[Mount], enabled: set[str], active: set[str]) -> None:
    present = Units(
        {name: text for mount in before for name, text in nfs_units.unit_files(mount).items()},
        frozenset(f"{nfs_units.unit_name(path)}.automount" for path in enabled),
        frozenset(f"{nfs_units.unit_name(path)}.automount" for path in active),
    )
    assert nfs_units.plan(nfs_units.predict(present, nfs_units.plan(present, after)), after) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_names_are_those_of_systemd(text: str) -> None:
    path = f"/srv/{text}"
    if {".", ".."} & set(path.split("/")):
        return
    done = subprocess.run(["systemd-escape", "--path", "--", path], capture_output=True, text=True, check=True)
    assert nfs_units.unit_name(path) == done.stdout.removesuffix("\n")


def test_the_probe_reads_files_of_ours_and_of_desired_names(tmp_path: Path) -> None:
    (tmp_path / "old.automount").write_text(nfs_units.MARKER)
    (tmp_path / "srv-docs.mount").write_text("[Mount]\nÄ")
    (tmp_path / "usb.mount").write_text("[Mount]\n")
    (tmp_path / "link.mount").symlink_to("old.automount")
    files = subprocess.run(
        ["sh", "-c", nfs_units._SHOW_FILES, "sh", str(tmp_path)], capture_output=True, text=True, check=True
    )
    output = f"{files.stdout}\x1e0\x1eId=srv-docs.mount\nActiveState=active\nUnitFileState=static\n\x1e0\x1e"
    assert nfs_units.parse({"srv-docs.mount"}, 0, output) == Units(
        {"old.automount": nfs_units.MARKER, "srv-docs.mount": "[Mount]\nÄ"}, frozenset(), frozenset({"srv-docs.mount"})
    )
    assert nfs_units.parse(set(), 0, output.replace("0\x1e", "1\x1e")) is None


def test_percent_signs_are_escaped() -> None:
    files = nfs_units.unit_files(dataclasses.replace(DOCS, source="nas:/100%"))
    assert "What=nas:/100%%\n" in files["srv-docs.mount"]


def test_timeouts_are_tenths_of_a_second() -> None:
    assert nfs_units.options(True, 5, 2, ["vers=4.1"])[:4] == ("ro", "soft", "timeo=50", "retrans=2")
    assert nfs_units.options(False, 5, 2, ["vers=4.1"])[::8] == ("rw", "vers=4.1")


def test_a_writable_mount_waits_for_its_server() -> None:
    assert "hard" in nfs_units.options(False, 5, 2, []) and "soft" not in nfs_units.options(False, 5, 2, [])


def test_refused_mounts_in_a_row_do_not_end_the_automount() -> None:
    assert "\nStartLimitIntervalSec=0\n" in FILES["srv-docs.mount"].partition("[Mount]")[0]


def test_states_are_parsed() -> None:
    show = (
        "Id=srv-docs.automount\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=srv-docs.mount\nActiveState=inactive\nUnitFileState=static\n\n"
        "Id=srv-x.automount\nActiveState=inactive\nUnitFileState=\n\n"
        "Id=rpcbind.socket\nActiveState=inactive\nUnitFileState=masked\n\n"
        "Id=rpcbind.service\nActiveState=active\nUnitFileState=masked-runtime\n"
    )
    active = {"srv-docs.automount", "rpcbind.service"}
    assert nfs_units.parse_states(show) == (
        frozenset({"srv-docs.automount"}),
        frozenset(active),
        frozenset({"rpcbind.socket"}),
    )
