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


# A unit's name has at most 255 bytes, and a character up to 16 of them.
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12))
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
