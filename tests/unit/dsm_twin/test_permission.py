# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in a share: entries of one's own, what comes from groups, and what follows renaming and removal."""

from __future__ import annotations

from typing import Any

import pytest

API = "SYNO.Core.Share.Permission"


@pytest.fixture
def share(dsm: Any) -> Any:
    assert dsm.create("docs") == 0
    return dsm


def entry(name: str, flag: str = "", **others: Any) -> dict[str, Any]:
    flags = ("is_readonly", "is_writable", "is_deny", "is_custom")
    return {"name": name} | {each: each == flag for each in flags} | others


def grant(dsm: Any, *entries: Any, kind: str = "local_user") -> int:
    return int(dsm.code(API, "set", name="docs", user_group_type=kind, permissions=list(entries)))


def rows(dsm: Any, kind: str = "local_user") -> dict[str, dict[str, Any]]:
    data = dsm.data(
        API, "list", name="docs", user_group_type=kind, action="enum", with_inherit=True, offset=0, limit=-1
    )
    assert data["total"] == len(data["items"])
    return {row.pop("name"): row for row in data["items"]}


def test_only_the_named_change(share: Any) -> None:
    assert grant(share, entry("child", "is_writable"), entry("off", "is_readonly")) == 0
    assert grant(share, entry("off", "is_deny")) == 0
    found = rows(share)
    assert (found["child"]["is_writable"], found["off"]["is_deny"], found["off"]["is_readonly"]) == (True, True, False)
    assert grant(share, entry("child")) == 0
    assert not rows(share)["child"]["is_writable"]


def test_what_groups_give_is_told_beside(share: Any) -> None:
    assert rows(share)["child"]["inherit"] == "-"
    assert rows(share)["tars-admin"]["inherit"] == "rw" and rows(share)["tars-admin"]["is_admin"]
    assert grant(share, entry("users", "is_readonly"), kind="local_group") == 0
    assert rows(share)["child"] == {
        "is_readonly": False,
        "is_writable": False,
        "is_deny": False,
        "is_custom": False,
        "is_mask": False,
        "is_admin": False,
        "inherit": "ro",
    }
    assert grant(share, entry("users", "is_deny"), kind="local_group") == 0
    assert rows(share)["child"]["inherit"] == "na"


def test_administrators_keep_what_they_have(share: Any) -> None:
    assert grant(share, entry("administrators", "is_deny"), kind="local_group") == 0
    administrators = rows(share, "local_group")["administrators"]
    assert (administrators["is_writable"], administrators["is_deny"], administrators["is_admin"]) == (True, False, True)


@pytest.mark.parametrize(
    "bad",
    [
        entry("nobody", "is_writable"),
        entry("child", "is_writable", is_deny=True),
        entry("child", is_writable="true"),
        entry("child", "is_custom"),
        {"is_writable": True},
        "child",
    ],
)
def test_a_bad_entry_changes_nothing(share: Any, bad: Any) -> None:
    assert grant(share, entry("off", "is_writable"), bad) == 403
    assert not rows(share)["off"]["is_writable"]


def test_refusals(share: Any) -> None:
    assert share.code(API, "list", name="nowhere", user_group_type="local_user") == 402
    assert share.code(API, "list", name="docs", user_group_type="ldap_user") == 120
    assert share.code(API, "set", name="docs", user_group_type="local_user") == 403


def test_the_shares_of_one(share: Any) -> None:
    assert share.create("more") == grant(share, entry("child", "is_readonly")) == 0
    asked = {"name": "child", "user_group_type": "local_user", "share_type": ["local"]}
    data = share.data(API, "list_by_user", **asked)
    assert {row["name"]: row["is_readonly"] for row in data["shares"]} == {"docs": True, "more": False}
    assert share.code(API, "list_by_user", **(asked | {"name": "nobody"})) == 403


def test_entries_follow_names_and_go_with_them(share: Any, nas: Any) -> None:
    share.data("SYNO.Core.User", "create", name="reader", password="correct horse")
    share.data("SYNO.Core.Group", "create", name="readers")
    assert grant(share, entry("reader", "is_writable")) == 0
    assert grant(share, entry("readers", "is_readonly"), kind="local_group") == 0
    share.data("SYNO.Core.User", "set", name="reader", new_name="librarian")
    share.data("SYNO.Core.Group", "set", name="readers", new_name="library")
    info = {"name": "books", "name_org": "docs", "vol_path": "/volume1"}
    assert share.code("SYNO.Core.Share", "set", name="docs", shareinfo=info) == 0
    kept = {"local_user": {"librarian": "rw"}, "local_group": {"library": "ro"}}
    assert nas.state.data["permissions"] == {"books": kept}
    share.data("SYNO.Core.User", "delete", name=["librarian"])
    share.data("SYNO.Core.Group", "delete", name=["library"])
    assert nas.state.data["permissions"] == {"books": {"local_user": {}, "local_group": {}}}
    assert share.code("SYNO.Core.Share", "delete", name=["books"]) == 0
    assert nas.state.data["permissions"] == {}
