# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.task import (
    WEEKS,
    Change,
    Schedule,
    Task,
    from_api,
    from_row,
    plan,
    predict,
    to_api,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

ME = "tars-admin"


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


NAMES = st.sampled_from(["report", "sweep", "third"])
OWNERS = st.sampled_from(["root", "child", ME])
SCRIPTS = st.sampled_from(["date", "date\n", "date\r\nuptime", " "])
MAIL = st.sampled_from(["", "owner@home.arpa"])
DESIRED = st.fixed_dictionaries(
    {
        "name": NAMES,
        "state": st.sampled_from(["present", "present", "absent"]),
        "owner": optional(OWNERS),
        "enabled": optional(st.booleans()),
        "script": optional(SCRIPTS),
        "schedule": optional(
            st.fixed_dictionaries(
                {
                    "frequency": st.sampled_from(["daily", "weekly", "monthly"]),
                    "weekdays": optional(st.lists(st.integers(0, 6), min_size=1)),
                    "weeks": optional(st.lists(st.sampled_from(WEEKS))),
                    "hour": st.integers(0, 24),
                    "minute": st.integers(0, 59),
                    "every_hours": optional(st.integers(1, 24)),
                    "every_minutes": optional(st.sampled_from([5, 7, 30])),
                    "last_hour": st.integers(0, 23),
                }
            )
        ),
        "notify_email": optional(MAIL),
        "notify_only_on_error": optional(st.booleans()),
    }
)
CURRENT = st.lists(
    st.builds(Task, NAMES, OWNERS, st.booleans(), st.just("date"), st.builds(Schedule, hour=st.integers(0, 23)), MAIL),
    max_size=3,
    unique_by=lambda task: task.name,
)


@given(CURRENT, st.lists(DESIRED, max_size=3))
def test_a_second_plan_is_empty_and_what_is_sent_is_complete(
    current: list[Task], desired: list[dict[str, Any]]
) -> None:
    try:
        changes = plan(current, desired, ME)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, desired, ME) == []
    named = {item["name"] for item in desired}
    assert [task for task in after if task.name not in named] == [task for task in current if task.name not in named]
    for change in changes:
        if change.action != "delete":
            sent = to_api(change)
            assert from_api(from_row(sent), sent).schedule == change.task.schedule or "schedule" not in change.fields
            assert from_api(from_row(sent), sent).script == change.task.script


def test_what_is_not_managed_goes_back_as_it_came() -> None:
    row = {"id": 3, "name": "report", "owner": "child", "real_owner": "child", "enable": True, "type": "script"}
    schedule = {"date_type": 1, "repeat_date": 0, "date": "2026/1/31", "hour": 4, "repeat_min_store_config": [1, 5]}
    record = {**row, "schedule": schedule, "extra": {"script": "date", "color": "red"}}
    current = from_api(from_row(record), record)
    (change,) = plan([current], [{"name": "report", "script": "uptime"}], ME)
    sent = to_api(change)
    assert sent["schedule"] == schedule, "a schedule of another kind stays while another option changes"
    assert (sent["id"], sent["extra"]["color"], sent["extra"]["script"]) == (3, "red", "uptime")
    (change,) = plan([current], [{"name": "report", "schedule": {"hour": 5}}], ME)
    assert to_api(change)["schedule"]["repeat_min_store_config"] == [1, 5]


def test_the_rights_of_root_are_seen_in_every_direction() -> None:
    child, root = Task("a", "child", id=1, real_owner="child"), Task("b", "root", id=2, real_owner="root")
    desired_items = [
        {"name": "a", "owner": "root"},
        {"name": "b", "owner": "child"},
        {"name": "c", "owner": "root", "script": "date"},
        {"name": "d", "script": "date"},
    ]
    assert [change.as_root for change in plan([child, root], desired_items, ME)] == [True, True, True, False]
    assert not Change("delete", root).as_root


def test_tasks_are_shown_by_name() -> None:
    shown = to_dict([Task("b", schedule=Schedule(weekdays=(1,))), Task("a", record={"x": 1})])
    assert list(shown) == ["a", "b"]
    assert "record" not in shown["a"] and shown["b"]["schedule"]["weekdays"] == [1]
