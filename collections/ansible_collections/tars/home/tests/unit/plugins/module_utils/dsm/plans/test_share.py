# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.share import (
    CHANGEABLE,
    Change,
    Share,
    Storage,
    plan,
    predict,
    to_shareinfo,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(["docs", "archive", "photos-of-ours"])
VOLUMES = st.sampled_from(["/volume1", "/volume2"])
TEXTS = st.text(max_size=70)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SHARES = st.builds(
    Share,
    name=NAMES,
    volume=VOLUMES,
    description=st.text(max_size=64),
    hidden=st.booleans(),
    recycle_bin=st.booleans(),
    quota_mib=st.integers(0, 9),
    cow=st.booleans(),
)
STORAGES = st.builds(
    lambda first, second, shares: Storage(
        {"/volume1": first, "/volume2": second}, {share.name: share for share in shares}
    ),
    st.sampled_from(["btrfs", "ext4"]),
    st.just("btrfs"),
    st.lists(SHARES),
)
DESIRED = st.fixed_dictionaries(
    {
        "name": NAMES,
        "state": st.sampled_from(["present", "present", "absent"]),
        "delete_data": st.booleans(),
        "volume": optional(VOLUMES),
        "description": optional(TEXTS),
        "hidden": optional(st.booleans()),
        "recycle_bin": optional(st.booleans()),
        "recycle_bin_admin_only": optional(st.booleans()),
        "quota_mib": optional(st.integers(0, 9)),
        "cow": optional(st.booleans()),
        "compress": optional(st.booleans()),
    }
)


@given(STORAGES, st.lists(DESIRED, unique_by=lambda item: item["name"]))
def test_a_second_plan_is_empty_and_nothing_else_is_touched_or_lost(
    current: Storage, desired: list[dict[str, Any]]
) -> None:
    try:
        changes = plan(current, desired)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, desired) == []
    permitted = {item["name"] for item in desired if item["state"] == "absent" and item["delete_data"]}
    assert {change.share.name for change in changes if change.action == "delete"} <= permitted
    named = {item["name"] for item in desired}
    assert {name: share for name, share in current.shares.items() if name not in named} == {
        name: share for name, share in after.shares.items() if name not in named
    }
    for item in desired:
        if item["state"] == "present":
            for key in CHANGEABLE:
                assert item[key] is None or getattr(after.shares[item["name"]], key) == item[key]


def test_a_creation_renames_nothing() -> None:
    info = to_shareinfo(Change("create", Share("docs", "/volume1"), ()))
    assert info["name_org"] == ""
    assert "share_quota" not in info


def test_a_change_sends_name_and_volume_and_no_creation_options() -> None:
    info = to_shareinfo(Change("update", Share("docs", "/volume1", quota_mib=7), ("quota_mib",)))
    assert (info["name"], info["vol_path"], info["share_quota"]) == ("docs", "/volume1", 7)
    assert not {"name_org", "enable_share_cow", "enable_share_compress"} & set(info)
