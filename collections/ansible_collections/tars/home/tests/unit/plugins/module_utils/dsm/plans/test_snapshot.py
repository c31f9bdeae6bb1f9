# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.snapshot import (
    PERIODS,
    Change,
    Nas,
    Retention,
    Schedule,
    Snapshots,
    assume_created,
    from_api,
    plan,
    predict,
    to_conf,
    to_retention,
    to_schedule,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

SHARES = st.sampled_from(["docs", "backup", "plain"])
WEEKDAYS = st.sets(st.integers(0, 6), min_size=1)
SCHEDULES = st.builds(
    Schedule,
    WEEKDAYS.map(lambda days: tuple(sorted(days))),
    st.integers(0, 23),
    st.integers(0, 59),
    enabled=st.booleans(),
)
NUMBERS = st.integers(-1, 9)
CURRENT = st.builds(Snapshots, SCHEDULES, st.builds(Retention, daily=st.integers(0, 9)), st.booleans())


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


DESIRED = st.fixed_dictionaries(
    {
        "share": SHARES,
        "schedule": optional(
            st.fixed_dictionaries(
                {
                    "enabled": st.booleans(),
                    "weekdays": optional(WEEKDAYS.map(list)),
                    "hour": st.integers(0, 24),
                    "minute": st.integers(0, 2),
                    "every_hours": optional(st.integers(1, 6)),
                    "every_minutes": optional(st.sampled_from([5, 7])),
                    "last_hour": st.integers(0, 23),
                }
            )
        ),
        "retention": optional(st.fixed_dictionaries({}, optional=dict.fromkeys(("newest", *PERIODS), NUMBERS))),
        "visible": optional(st.booleans()),
    }
)


@given(st.fixed_dictionaries({"docs": CURRENT, "backup": CURRENT}), st.lists(DESIRED, max_size=2))
def test_a_second_plan_is_empty_and_nothing_else_is_touched(
    snapshots: dict[str, Snapshots], desired: list[dict[str, Any]]
) -> None:
    current = Nas({"docs": "btrfs", "backup": "btrfs", "plain": "ext4"}, snapshots)
    try:
        changes = plan(current, desired)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, desired) == []
    assert {change.share for change in changes} <= {item["share"] for item in desired}
    for change in changes:
        sent = from_api(to_schedule(change), to_retention(change), to_conf(change)["sharesnapinfo"])
        assert change.schedule in (None, sent.schedule)
        assert change.retention in (None, sent.retention)
        assert change.visible in (None, sent.visible)


def test_the_whole_record_goes_back() -> None:
    current = from_api({"task_id": 4}, {"tid": 7, "policyType": 128, "retainDay": 3, "hourly": 1, "prefix": "Share#"})
    sent = to_retention(Change("docs", current, retention=Retention(newest=5)))
    assert (sent["retainDay"], sent["hourly"], sent["policyType"], sent["recently"]) == (3, 1, 20, 5)
    assert not {"tid", "prefix"} & sent.keys()
    assert to_schedule(Change("docs", current, schedule=Schedule(enabled=True)))["task_id"] == 4


def test_the_format_of_the_names_goes_back() -> None:
    current = from_api({}, {}, {"enable_snapshot_browsing": False, "snapshot_local_time_format": True, "other": 1})
    assert to_conf(Change("docs", current, visible=True)) == {
        "name": "docs",
        "sharesnapinfo": {"enable_snapshot_browsing": True, "snapshot_local_time_format": True},
    }


def test_a_plan_ahead_takes_a_missing_share_as_made() -> None:
    desired = [{"share": "docs", "schedule": {"hour": 5}}]
    current, missing = assume_created(Nas({}, {}), desired)
    assert missing == ["share docs"]
    assert [str(change) for change in plan(current, desired)] == ["schedule snapshots of share docs: daily at 05:00"]
    shown, _ = assume_created(Nas({}, {}), [{"share": "docs", "visible": True}])
    changes = plan(shown, [{"share": "docs", "visible": True}])
    assert [str(change) for change in changes] == ["show the snapshots of share docs in its folder #snapshot"]
