# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.account import (
    BUILT_IN_USERS,
    EVERYBODY,
    Directory,
    Group,
    User,
    UserChange,
    plan,
    predict,
    to_params,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

OWN = "tars-admin"


USERS = st.sampled_from([OWN, "admin", "reader", "writer", "tars-backup"])
GROUPS = st.sampled_from(["administrators", "readers", "writers"])
BELONGING = st.lists(GROUPS, unique=True).map(lambda names: tuple(sorted(names)))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    groups = {name: Group(name, draw(st.text(max_size=3))) for name in [*draw(st.lists(GROUPS)), EVERYBODY]}
    users = {}
    for name in draw(st.lists(USERS)):
        belonging = tuple(group for group in draw(BELONGING) if group in groups)
        expires = draw(st.sampled_from(["", "2027/1/31"]))
        users[name] = User(
            name, draw(st.text(max_size=3)), "", draw(st.booleans()) or bool(expires), expires, belonging
        )
    return Directory(users, groups)


STATES = st.sampled_from(["present", "present", "absent"])
DESIRED_USERS = st.fixed_dictionaries(
    {
        "name": USERS,
        "state": STATES,
        "password": optional(st.just("secret")),
        "update_password": st.sampled_from(["on_create", "always"]),
        "description": optional(st.text(max_size=3)),
        "enabled": optional(st.booleans()),
        "groups": optional(BELONGING),
    }
)
DESIRED_GROUPS = st.fixed_dictionaries({"name": GROUPS, "state": STATES, "description": optional(st.text(max_size=3))})


def unique(desired_items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(desired_items, unique_by=lambda item: str(item["name"]))


@given(directories(), unique(DESIRED_USERS), unique(DESIRED_GROUPS))
def test_a_second_plan_is_empty_and_nobody_else_is_touched(
    current: Directory, users: list[dict[str, Any]], groups: list[dict[str, Any]]
) -> None:
    try:
        changes = plan(current, users, groups, OWN)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    written = [change.user.name for change in changes if isinstance(change, UserChange)]
    assert plan(after, users, groups, OWN, written) == []
    gone = {item["name"] for item in groups if item["state"] == "absent"}
    for name in current.users.keys() - {item["name"] for item in users}:
        kept = set(current.users[name].groups) - gone
        assert (after.users[name].description, set(after.users[name].groups)) == (current.users[name].description, kept)
    assert OWN not in written
    assert not BUILT_IN_USERS & (current.users.keys() - after.users.keys())
    for item in users:
        if item["state"] == "present" and item["groups"] is not None:
            assert set(after.users[item["name"]].groups) == set(item["groups"])


def test_a_password_is_sent_and_never_shown() -> None:
    change = UserChange("update", User("tars-backup"), (), "hidden")
    assert to_params(change) == {"name": "tars-backup", "password": "hidden"}
    assert "hidden" not in f"{change} {change!r}"


def test_switching_an_account_on_keeps_its_day() -> None:
    user = User("reader", expires="2027/1/31")
    assert to_params(UserChange("update", user, ("enabled",)))["expired"] == "2027/1/31"
