# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to a share: own entries, entries inherited from groups, and the effect of renaming and deleting."""

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
    return {"name": name} | {key: key == flag for key in flags} | others


def grant(dsm: Any, *entries: Any, kind: str = "local_user") -> int:
    return int(dsm.code(API, "set", name="docs", user_group_type=kind, permissions=list(entries)))


def rows(dsm: Any, kind: str = "local_user") -> dict[str, dict[str, Any]]:
    data = dsm.data(
        API, "list", name="docs", user_group_type=kind, action="enum", with_inherit=True, offset=0, limit=-1
    )
    assert data["total"] == len(data["items"])
    return {row.pop("name"): row for row in data["items"]}


def test_only_the_listed_entries_change(share: Any) -> None:
    assert grant(share, entry("child", "is_writable"), entry("off", "is_readonly")) == 0
    assert grant(share, entry("off", "is_deny")) == 0
    entries = rows(share)
    assert (entries["child"]["is_writable"], entries["off"]["is_deny"], entries["off"]["is_readonly"]) == (
        True,
        True,
        False,
    )
    assert grant(share, entry("child")) == 0
    assert not rows(share)["child"]["is_writable"]


def test_inherited_access_is_listed(share: Any) -> None:
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


def test_administrators_keep_their_access(share: Any) -> None:
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


def test_errors(share: Any) -> None:
    assert share.code(API, "list", name="nowhere", user_group_type="local_user") == 402
    assert share.code(API, "list", name="docs", user_group_type="ldap_user") == 120
    assert share.code(API, "set", name="docs", user_group_type="local_user") == 403


def test_the_shares_of_one_user(share: Any) -> None:
    assert share.create("more") == grant(share, entry("child", "is_readonly")) == 0
    query = {"name": "child", "user_group_type": "local_user", "share_type": ["local"]}
    data = share.data(API, "list_by_user", **query)
    assert {row["name"]: row["is_readonly"] for row in data["shares"]} == {"docs": True, "more": False}
    assert share.code(API, "list_by_user", **(query | {"name": "nobody"})) == 403


def test_entries_are_renamed_and_deleted_with_their_principals(share: Any, nas: Any) -> None:
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
