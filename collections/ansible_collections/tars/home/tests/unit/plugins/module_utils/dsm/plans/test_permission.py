# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.permission import (
    UNSET,
    Change,
    Entry,
    Permissions,
    Principal,
    assume_created,
    plan,
    predict,
    to_rows,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

PRINCIPALS = [Principal("user", "reader"), Principal("user", "writer"), Principal("group", "readers")]
ADMINISTRATORS = Principal("group", "administrators")
ENTRIES = st.builds(Entry, st.sampled_from(["rw", "ro", "none", "unset", "custom"]))
SHARES = st.sampled_from(["docs", "backup"])
PERMISSIONS = st.dictionaries(
    SHARES,
    st.fixed_dictionaries(dict.fromkeys(PRINCIPALS, ENTRIES)).map(
        lambda entries: {**entries, ADMINISTRATORS: Entry("rw", fixed=True)}
    ),
)
GRANTS = st.builds(
    lambda principal, access: {principal.kind: principal.name, "access": access},
    st.sampled_from([*PRINCIPALS, ADMINISTRATORS]),
    st.sampled_from(["rw", "ro", "none", "unset"]),
)
DESIRED = st.fixed_dictionaries(
    {"share": SHARES, "permissions": st.lists(GRANTS, max_size=3), "exclusive": st.booleans()}
)


@given(PERMISSIONS, st.lists(DESIRED, max_size=2))
def test_a_second_plan_is_empty_and_nothing_else_is_touched(
    current: Permissions, desired: list[dict[str, Any]]
) -> None:
    try:
        changes = plan(current, desired)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, desired) == []
    desired_items = {item["share"]: item for item in desired}
    for share, entries in current.items():
        item = desired_items.get(share, {"permissions": [], "exclusive": False})
        listed = {
            Principal(kind, grant[kind]): grant["access"]
            for grant in item["permissions"]
            for kind in grant.keys() - {"access"}
        }
        for principal, entry in entries.items():
            left = entry.access if entry.fixed or not item["exclusive"] else UNSET
            assert after[share][principal].access == listed.get(principal, left)


def test_each_kind_is_sent_by_itself() -> None:
    change = Change("docs", {PRINCIPALS[0]: "rw", PRINCIPALS[2]: "unset"})
    (row,) = to_rows(change, "user")
    assert row == {"name": "reader", "is_writable": True, "is_readonly": False, "is_deny": False, "is_custom": False}
    assert not any(to_rows(change, "group")[0][flag] for flag in ("is_writable", "is_readonly", "is_deny"))


def test_a_plan_ahead_takes_what_is_missing_as_made() -> None:
    desired_items = [{"share": "docs", "permissions": [{"user": "reader", "access": "ro"}], "exclusive": True}]
    current, missing = assume_created({}, desired_items)
    assert missing == ["share docs", "user reader"]
    assert [str(change) for change in plan(current, desired_items)] == ["set access to share docs: user reader ro"]
