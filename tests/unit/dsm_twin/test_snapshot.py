# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: real copies that clients cannot reach, their schedule and their retention."""

from __future__ import annotations

import datetime
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin import scheduled

API, RETENTION, SHARE = "SYNO.Core.Share.Snapshot", "SYNO.DisasterRecovery.Retention", "SYNO.Core.Share"
TIMING = {
    "date_type": 0,
    "week_name": "0,1,2,3,4,5,6",
    "hour": 5,
    "min": 0,
    "repeat_hour": 0,
    "repeat_min": 0,
    "last_work_hour": 0,
}


@pytest.fixture
def folder(dsm: Any, tmp_path: Path) -> Path:
    assert dsm.create("docs") == 0
    folder = tmp_path / "volume1/docs"
    (folder / "kept.txt").write_text("as it was")
    (folder / "kept.txt").chmod(0o640)
    return folder


def take(dsm: Any, **info: Any) -> str:
    return str(dsm.data(API, "create", name="docs", snapinfo=info))


def listed(dsm: Any, *fields: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = dsm.data(API, "list", 2, name="docs", additional=list(fields))["snapshots"]
    return rows


def test_a_snapshot_is_a_copy_that_clients_cannot_reach(dsm: Any, folder: Path) -> None:
    when = take(dsm, desc="before", lock=True)
    assert re.fullmatch(r"GMT[+-]\d\d-\d{4}\.\d\d\.\d\d-\d\d\.\d\d\.\d\d", when)
    (folder / "kept.txt").write_text("changed")
    above = folder.parent / "@sharesnap/docs"
    copy = above / when / "kept.txt"
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode)) == ("as it was", 0o640)
    assert stat.S_IMODE(above.stat().st_mode) == stat.S_IMODE(above.parent.stat().st_mode) == 0o700
    assert listed(dsm) == [{"time": when}]
    assert listed(dsm, "desc", "lock") == [{"time": when, "desc": "before", "lock": True}]
    assert dsm.code(API, "set", name="docs", snapshot=when, snapinfo={"lock": False}) == 0
    assert listed(dsm, "desc", "lock") == [{"time": when, "desc": "before", "lock": False}]
    assert dsm.data(API, "delete", name="docs", snapshots=[when, "never"]) == [{"snapshot": "never"}]
    assert listed(dsm) == [] and not (above / when).exists()


def browse(dsm: Any, visible: bool) -> None:
    assert dsm.code(API, "set_share_conf", name="docs", sharesnapinfo={"enable_snapshot_browsing": visible}) == 0


def test_snapshots_are_shown_in_the_share_and_are_no_part_of_it(dsm: Any, folder: Path, nas: Any) -> None:
    before = take(dsm)
    view = folder / "#snapshot"
    assert not view.exists()
    browse(dsm, True)
    conf = dsm.data(API, "get_share_conf", name="docs", sharesnapinfo=["enable_snapshot_browsing"])
    assert conf == {"enable_snapshot_browsing": True}
    assert (view / before / "kept.txt").read_text() == "as it was"
    (folder / "kept.txt").write_text("changed")
    with nas.state.change() as data:
        data["snapshots"]["docs"][0]["time"] = "GMT+00-2024.01.01-05.00.00"  # there is at most one in a second
        os.rename(
            folder.parent / "@sharesnap/docs" / before, folder.parent / "@sharesnap/docs/GMT+00-2024.01.01-05.00.00"
        )
        os.rename(view / before, view / "GMT+00-2024.01.01-05.00.00")
    second = take(dsm)
    assert sorted(entry.name for entry in view.iterdir()) == ["GMT+00-2024.01.01-05.00.00", second]
    assert [entry.name for entry in (view / second).iterdir()] == ["kept.txt"], "no snapshot of a snapshot"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (view / second, view / second / "kept.txt")]
    assert [mode & 0o222 for mode in modes] == [0, 0], "nobody can change it"
    assert nas.effects.used_bytes("/volume1/docs") == (folder / "kept.txt").stat().st_blocks * 512
    info = {"name": "copy", "name_org": "docs", "vol_path": "/volume1"}
    assert dsm.code(SHARE, "clone", name="copy", shareinfo=info) == 0
    assert [entry.name for entry in (folder.parent / "copy").iterdir()] == ["kept.txt"]
    dsm.data(API, "delete", name="docs", snapshots=[second])
    assert [entry.name for entry in view.iterdir()] == ["GMT+00-2024.01.01-05.00.00"]
    browse(dsm, False)
    assert not view.exists() and len(listed(dsm)) == 1


@pytest.mark.parametrize("info", [{"enable_snapshot_browsing": 1}, {"other": True}, []])
def test_wrong_settings_of_snapshots_are_refused(dsm: Any, folder: Path, info: Any) -> None:
    assert dsm.code(API, "set_share_conf", name="docs", sharesnapinfo=info) == 120


def test_snapshots_are_renamed_and_deleted_with_their_share(dsm: Any, folder: Path, nas: Any) -> None:
    when = take(dsm)
    info = {"name": "books", "name_org": "docs", "vol_path": "/volume1"}
    assert dsm.code(SHARE, "set", name="docs", shareinfo=info) == 0
    assert (folder.parent / "@sharesnap/books" / when / "kept.txt").exists()
    assert dsm.data(API, "list", 2, name="books")["total"] == 1
    assert dsm.code(SHARE, "delete", name=["books"]) == 0
    assert not (folder.parent / "@sharesnap/books").exists()
    assert nas.state.data["snapshots"] == {}


def test_errors(dsm: Any, folder: Path) -> None:
    assert (
        dsm.code(SHARE, "create", name="plain", shareinfo={"name": "plain", "vol_path": "/volume2", "name_org": ""})
        == 0
    )
    assert dsm.code(API, "create", name="plain", snapinfo={}) == 3300
    assert dsm.code(API, "list", 2, name="nowhere") == 402
    assert dsm.code(API, "list", 1, name="docs") == 103
    assert dsm.code(API, "set_schedule", 2, name="docs") == 103
    assert dsm.code(API, "create", name="docs", snapinfo={"worm_lock": True, "worm_lock_day": 7}) == 120
    assert dsm.code(API, "set", name="docs", snapshot="never", snapinfo={}) == 120
    assert listed(dsm) == []


def test_a_schedule_is_created_and_changed_by_its_id(dsm: Any, folder: Path) -> None:
    assert dsm.data(API, "get_schedule", name="docs")["task_id"] == -1
    wanted = {"name": "docs", "enable_snapshot_schedule": True, "schedule": TIMING}
    assert dsm.code(API, "set_schedule", task_id=4, **wanted) == 120
    assert dsm.code(API, "set_schedule", task_id=-1, **wanted) == 0
    schedule = dsm.data(API, "get_schedule", name="docs")
    assert schedule["schedule"] == TIMING | {"last_work_hour": 5}, "an end before the start is replaced by the start"
    assert dsm.code(API, "set_schedule", task_id=-1, **wanted) == 120
    assert (
        dsm.code(API, "set_schedule", task_id=schedule["task_id"], **(wanted | {"enable_snapshot_schedule": False}))
        == 0
    )
    assert dsm.data(API, "get_schedule", name="docs")["enable_snapshot_schedule"] is False


@pytest.mark.parametrize("bad", [{"hour": 24}, {"hour": "5"}, {"week_name": "7"}, {"min": 60}, {"extra": 1}])
def test_a_bad_schedule_changes_nothing(dsm: Any, folder: Path, bad: dict[str, Any]) -> None:
    wanted = {"name": "docs", "enable_snapshot_schedule": True, "schedule": TIMING | bad, "task_id": -1}
    assert dsm.code(API, "set_schedule", **wanted) == 120
    assert dsm.data(API, "get_schedule", name="docs")["task_id"] == -1


def test_a_retention_is_replaced(dsm: Any, folder: Path) -> None:
    record = dsm.data(RETENTION, "get", type="Share", name="docs")
    assert (record["tid"], record["prefix"]) == (-1, "Share#")
    wanted = {key: value for key, value in record.items() if key not in ("tid", "prefix", "schedule")}
    wanted |= {"type": "Share", "name": "docs", "policyType": 128, "advDaily": 7}
    assert dsm.code(RETENTION, "set", **(wanted | {"policyType": 5})) == 120
    assert dsm.code(RETENTION, "set", **{key: value for key, value in wanted.items() if key != "recently"}) == 120
    assert dsm.code(RETENTION, "set", **wanted) == 0
    retention = dsm.data(RETENTION, "get", type="Share", name="docs")
    assert (retention["advDaily"], retention["policyType"]) == (7, 128) and retention["tid"] > 0
    assert dsm.code(RETENTION, "get", type="Lun", name="docs") == 120


@pytest.fixture
def planned(dsm: Any, folder: Path) -> Path:
    """Return a share with snapshots every six hours on Sundays and Mondays from 5:00; the last of two days are kept."""
    timing = TIMING | {"week_name": "0,1", "hour": 5, "repeat_hour": 6, "last_work_hour": 23}
    for method, fields in (
        ("set_schedule", {"task_id": -1, "enable_snapshot_schedule": True, "schedule": timing}),
        ("create", {"snapinfo": {"lock": True}}),
    ):
        dsm.data(API, method, name="docs", **fields)
    record = dsm.data(RETENTION, "get", type="Share", name="docs")
    numbers = {key: value for key, value in record.items() if key not in ("tid", "prefix", "schedule")}
    dsm.data(RETENTION, "set", type="Share", name="docs", **numbers | {"policyType": 20, "advDaily": 2})
    return folder


def test_scheduled_snapshots_are_taken_and_deleted_by_the_retention(nas: Any, dsm: Any, planned: Path) -> None:
    (locked,) = listed(dsm)
    sunday = datetime.datetime(2026, 11, 22, 4, 59, 58)
    for hours in range(96):
        since = sunday + datetime.timedelta(hours=hours)
        scheduled.take_due(nas, since, since + datetime.timedelta(hours=1))
    rows = listed(dsm, "schedule_snapshot")
    assert [(row["time"][7:17], row["schedule_snapshot"]) for row in rows[1:]] == [
        ("2026.11.22", True),
        ("2026.11.23", True),
    ]
    # The newest of each day, 23:00, taken by the check that ends two seconds before midnight.
    assert [row["time"][18:20] for row in rows[1:]] == ["23", "23"]
    assert rows[0]["time"] == locked["time"]
    folders = {path.name for path in (planned.parent / "@sharesnap/docs").iterdir()}
    assert folders == {row["time"] for row in rows}


def test_a_disabled_schedule_takes_no_snapshot(nas: Any, dsm: Any, folder: Path) -> None:
    dsm.data(API, "set_schedule", name="docs", task_id=-1, enable_snapshot_schedule=False, schedule=TIMING)
    scheduled.take_due(nas, datetime.datetime(2026, 1, 1), datetime.datetime(2027, 1, 1))
    assert listed(dsm) == []


def test_the_newest_snapshots_are_kept() -> None:
    names = [f"GMT-05-2026.01.{day:02}-05.00.00" for day in range(1, 9)]
    record = {"recently": 3} | dict.fromkeys((f"adv{period}" for period in scheduled.PERIODS), 0)
    assert scheduled.retained(names, record) == set(names[-3:])
    assert scheduled.retained(names, record | {"recently": 0, "advWeekly": 2}) == {names[-1], names[3]}


def test_a_share_is_cloned_from_a_snapshot(dsm: Any, folder: Path) -> None:
    when = take(dsm)
    (folder / "kept.txt").write_text("changed")
    volume = folder.parent
    modes = [path.stat().st_mode for path in (volume, volume.parent)]
    info = {"name": "old", "name_org": "docs", "vol_path": "/volume1"}
    assert dsm.data(SHARE, "clone", name="old", snapshot=when, shareinfo=info) == {"name": "old"}
    assert (volume / "old/kept.txt").read_text() == "as it was"
    assert (folder / "kept.txt").read_text() == "changed"
    now = {**info, "name": "now"}
    assert dsm.data(SHARE, "clone", name="now", shareinfo=now) == {"name": "now"}
    assert (volume / "now/kept.txt").read_text() == "changed"
    assert [path.stat().st_mode for path in (volume, volume.parent)] == modes
    rows = {row["name"]: row["uuid"] for row in dsm.data(SHARE, "list", additional=[])["shares"]}
    assert rows.keys() == {"docs", "old", "now"} and len(set(rows.values())) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"snapshot": "GMT+00-2026.01.01-00.00.00"}, 3300),
        ({"shareinfo": {"name": "old", "name_org": "nothing", "vol_path": "/volume1"}}, 403),
        ({"shareinfo": {"name": "other", "name_org": "docs", "vol_path": "/volume1"}}, 403),
        ({"shareinfo": {"name": "old", "name_org": "docs", "vol_path": "/volume2"}}, 3300),
        ({"name": "docs", "shareinfo": {"name": "docs", "name_org": "docs", "vol_path": "/volume1"}}, 3301),
    ],
)
def test_a_clone_that_is_refused_leaves_nothing(dsm: Any, folder: Path, changes: dict[str, Any], code: int) -> None:
    info = {"name": "old", "name_org": "docs", "vol_path": "/volume1"}
    assert dsm.code(SHARE, "clone", **{"name": "old", "snapshot": take(dsm), "shareinfo": info, **changes}) == code
    assert not (folder.parent / "old").exists()
    assert [row["name"] for row in dsm.data(SHARE, "list", additional=[])["shares"]] == ["docs"]
