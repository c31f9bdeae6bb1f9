# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared folders: errors, storage, and the real folder of each."""

from __future__ import annotations

import errno
import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

API = "SYNO.Core.Share"
EXTRA = ["hidden", "recyclebin", "share_quota", "enable_share_cow", "enable_share_compress", "support_snapshot"]


def change(dsm: Any, name: str, /, **info: Any) -> int:
    shareinfo = {"name": name, "vol_path": "/volume1"} | info
    return int(dsm.code(API, "set", name=name, shareinfo=shareinfo))


def test_a_share_is_a_folder(dsm: Any, tmp_path: Path) -> None:
    assert dsm.create("LLM_docs", desc="Documents") == 0
    folder = tmp_path / "volume1/LLM_docs"
    assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o777
    share = dsm.data(API, "get", name="LLM_docs")
    assert share.keys() == {"name", "vol_path", "desc", "uuid", "is_usb_share"}
    assert (share["name"], share["vol_path"], share["desc"]) == ("LLM_docs", "/volume1", "Documents")
    (folder / "kept.txt").write_text("x" * 10_000)
    assert dsm.code(API, "delete", name=["LLM_docs"]) == 0
    assert not folder.exists()
    assert dsm.code(API, "get", name="LLM_docs") == 402


@pytest.mark.parametrize(
    ("name", "info", "code"),
    [
        ("docs", {"name_org": None}, 403),
        ("docs", {"name_org": "old"}, 3301),
        ("docs", {"name": "other"}, 403),
        ("docs", {"vol_path": "/volume9"}, 3304),
        ("docs", {"desc": "x" * 65}, 3300),
        ("docs", {"desc": "x" * 64}, 0),
        ("docs", {"recycle_bin_admin_only": True}, 3300),
        ("docs", {"recycle_bin_admin_only": True, "enable_recycle_bin": True}, 0),
        ("docs", {"enable_share_compress": True}, 3300),
        ("docs", {"enable_share_compress": True, "enable_share_cow": True}, 0),
        ("docs", {"encryption": 1, "enc_passwd": "secret"}, 3300),
        ("docs", {"hidden": "true"}, 403),
        ("docs", {"hidden": 1}, 403),
        ("docs", {"nfs_rule": []}, 403),
        ("homes", {}, 3319),
        ("Photo", {}, 3319),
        ("NetBackup", {}, 3319),
        ("usbshare1", {}, 3319),
        ("", {}, 3305),
        ("../etc", {}, 3305),
        (".hidden", {}, 3305),
        ('a"b', {}, 3305),
        ("x" * 33, {}, 3305),
        ("TAKEN", {}, 3301),
        ("folder", {}, 3312),
    ],
)
def test_create_errors(dsm: Any, tmp_path: Path, name: str, info: dict[str, Any], code: int) -> None:
    assert dsm.create("taken") == 0
    (tmp_path / "volume1/folder").mkdir()
    assert dsm.create(name, **info) == code
    assert {share["name"] for share in dsm.data(API, "list")["shares"]} == {"taken"} | ({name} if code == 0 else set())


def test_create_without_its_fields(dsm: Any) -> None:
    complete = {"name": "docs", "vol_path": "/volume1", "name_org": ""}
    for missing in complete:
        info = {key: value for key, value in complete.items() if key != missing}
        assert dsm.code(API, "create", name="docs", shareinfo=info) == 403, missing
    assert dsm.code(API, "create", name="docs", vol_path="/volume1", name_org="") == 403, "flat fields"
    assert dsm.code(API, "create", raw={"name": "docs", "shareinfo": json.dumps(complete)}) == 120, (
        "writes require quotes"
    )
    assert dsm.code(API, "create", name="docs", shareinfo="text") == 403


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 3320), (errno.EROFS, 3314)])
def test_a_full_volume(nas: Any, dsm: Any, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    def refuse(path: str) -> None:
        raise OSError(number, "injected", path)

    monkeypatch.setattr(nas.effects, "create_folder", refuse)
    assert dsm.create("docs") == code
    assert dsm.code(API, "get", name="docs") == 402


def test_a_share_that_cannot_be_recorded_leaves_no_folder(
    dsm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "injected")

    with monkeypatch.context() as patched:
        patched.setattr("tars_lab.dsm_twin.state.replace", full)
        assert dsm.create("docs") == 3320
    assert not (tmp_path / "volume1/docs").exists()
    assert dsm.create("docs") == 0


def test_list_and_its_parameters(dsm: Any) -> None:
    for name in ("beta", "Alpha", "gamma"):
        assert dsm.create(name) == 0

    def names(**fields: Any) -> list[str]:
        return [share["name"] for share in dsm.data(API, "list", **fields)["shares"]]

    assert names() == ["Alpha", "beta", "gamma"]
    assert names(sort_by="name", sort_direction="DESC") == ["gamma", "beta", "Alpha"]
    assert names(offset=1, limit=1) == ["beta"]
    assert names(offset=0, limit=-1, raw={"shareType": "all"}) == ["Alpha", "beta", "gamma"], "bare text is accepted"
    assert dsm.data(API, "list", raw={"additional": "hidden,recyclebin"}) == {"shares": [], "total": 0}
    assert dsm.code(API, "get", raw={"name": "beta"}) == 0, "bare text is accepted"
    assert dsm.code(API, "get", raw={"name": "12"}) == 402


def test_additional_fields_are_returned_only_when_requested(dsm: Any) -> None:
    dsm.create("docs", enable_recycle_bin=True, enable_share_cow=True, share_quota=2048)
    share = dsm.data(API, "get", name="docs", additional=[*EXTRA, "never_heard_of"])
    assert share["enable_recycle_bin"] is True and share["recycle_bin_admin_only"] is False
    assert share["quota_value"] == 2048 and share["share_quota_used"] == 0
    assert share["enable_share_cow"] is True and "enable_share_compress" not in share, "false is omitted"
    assert share["support_snapshot"] is True
    assert "never_heard_of" not in share


def test_an_ext4_volume_has_no_snapshots_and_drops_quotas(dsm: Any) -> None:
    dsm.create("docs", vol_path="/volume2", share_quota=100)
    share = dsm.data(API, "get", name="docs", additional=EXTRA)
    assert share["quota_value"] == 0 and share["support_snapshot"] is False


def test_set_merges_and_ignores_settings_of_creation(dsm: Any) -> None:
    dsm.create("docs", desc="before", enable_recycle_bin=True)
    assert change(dsm, "docs", hidden=True, enable_share_cow=True, enable_share_compress=True) == 0
    share = dsm.data(API, "get", name="docs", additional=EXTRA)
    assert share["hidden"] is True and share["desc"] == "before" and share["enable_recycle_bin"] is True
    assert "enable_share_cow" not in share and "enable_share_compress" not in share


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"desc": "x" * 65}, 3300),
        ({"recycle_bin_admin_only": True}, 3300),
        ({"vol_path": "/volume2"}, 3300),
        ({"vol_path": "/volume9"}, 3304),
        ({"name": "new"}, 403),
        ({"name": "new", "name_org": "wrong"}, 403),
        ({"name": "taken", "name_org": "docs"}, 3301),
        ({"name": "web", "name_org": "docs"}, 3319),
        ({"name": "a/b", "name_org": "docs"}, 3305),
        ({"name": None}, 403),
    ],
)
def test_set_errors(dsm: Any, info: dict[str, Any], code: int) -> None:
    dsm.create("docs")
    dsm.create("taken")
    before = dsm.data(API, "list", additional=EXTRA)
    assert change(dsm, "docs", **info) == code
    assert dsm.data(API, "list", additional=EXTRA) == before
    assert change(dsm, "absent") == 402
    assert dsm.code(API, "set", name="docs", shareinfo={"name": "docs"}) == 403


def test_rename_moves_the_folder(dsm: Any, tmp_path: Path) -> None:
    dsm.create("old")
    (tmp_path / "volume1/old/file").write_text("content")
    assert change(dsm, "old", name="new", name_org="old") == 0
    assert (tmp_path / "volume1/new/file").read_text() == "content"
    assert change(dsm, "new", name="New", name_org="new") == 0, "a change of case alone is a rename too"
    assert [share["name"] for share in dsm.data(API, "list")["shares"]] == ["New"]


def test_delete_checks_all_names_first(dsm: Any, tmp_path: Path) -> None:
    dsm.create("one")
    dsm.create("two")
    assert dsm.code(API, "delete", name=["one", "absent"]) == 402
    assert (tmp_path / "volume1/one").is_dir()
    assert dsm.code(API, "delete", name="one") == 0, "a quoted string is accepted as well"
    assert dsm.code(API, "delete", name=["two"]) == 0
    assert dsm.code(API, "delete", name=[]) == 120
    assert dsm.data(API, "list")["total"] == 0


def test_shares_survive_a_restart(dsm: Any, start: Any, caller_at: Any) -> None:
    dsm.create("docs", desc="kept")
    before = dsm.data(API, "get", name="docs", additional=EXTRA)
    again = caller_at(start())
    assert again.code(API, "list") == 119, "sessions do not survive"
    again.login()
    assert again.data(API, "get", name="docs", additional=EXTRA) == before


NAMES = st.text(string.ascii_lowercase + "._ -/", min_size=0, max_size=6)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(st.tuples(st.sampled_from(["create", "delete", "rename"]), NAMES, NAMES), max_size=6))
def test_shares_and_folders_always_match(dsm: Any, tmp_path: Path, steps: list[tuple[str, str, str]]) -> None:
    for step, name, other in steps:
        if step == "create":
            dsm.create(name)
        elif step == "delete":
            dsm.code(API, "delete", name=[name])
        else:
            change(dsm, name, name=other, name_org=name)
        listed = {share["name"] for share in dsm.data(API, "list")["shares"]}
        assert listed == {folder.name for folder in (tmp_path / "volume1").iterdir()}
        assert listed == set(json.loads((tmp_path / "state.json").read_text())["shares"] if listed else [])
