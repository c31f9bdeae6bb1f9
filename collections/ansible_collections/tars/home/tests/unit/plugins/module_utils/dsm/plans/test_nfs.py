# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any, Optional

from ansible_collections.tars.home.plugins.module_utils.dsm.plans.nfs import (
    SECURITY,
    SQUASH,
    Nfs,
    Rule,
    Service,
    assume_created,
    plan,
    predict,
    rule_from_api,
    rule_from_options,
    rule_to_api,
    rule_to_options,
    service_from_api,
    service_to_api,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

RULES = st.builds(
    Rule,
    client=st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.0/24", "*", "desk.home.arpa"]),
    access=st.sampled_from(["ro", "rw"]),
    squash=st.sampled_from(sorted(SQUASH)),
    asynchronous=st.booleans(),
    insecure=st.booleans(),
    crossmnt=st.booleans(),
    security=st.sets(st.sampled_from(list(SECURITY)), min_size=1).map(
        lambda names: tuple(name for name in SECURITY if name in names)
    ),
)
LISTS = st.lists(RULES, max_size=4, unique_by=lambda rule: rule.client)
SHARES = st.sampled_from(["docs", "archive", "photos"])
SERVICES = st.builds(Service, st.booleans(), st.none() | st.integers(0, 1), st.integers(0, 1))
# DSM accepts the same client twice, so what is found may hold what is never wanted.
STATES = st.builds(Nfs, SERVICES, st.dictionaries(SHARES, st.lists(RULES, max_size=4).map(tuple)))


@given(
    STATES,
    st.lists(st.tuples(SHARES, LISTS), unique_by=lambda export: export[0]),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 1),
)
def test_a_second_plan_is_empty_and_nothing_else_is_touched(
    current: Nfs, exports: list[tuple[str, list[Rule]]], enabled: Optional[bool], minor: Optional[int]
) -> None:
    try:
        changes = plan(current, exports, enabled, minor)
    except PlanError as error:
        assert error.problems
        return
    after = predict(current, changes)
    assert plan(after, exports, enabled, minor) == []
    named = {share for share, _rules in exports}
    for share, rules in current.exports.items():
        assert share in named or after.exports[share] == rules


@given(RULES)
def test_a_rule_survives_the_way_to_dsm_and_back(rule: Rule) -> None:
    sent = rule_to_api(rule)
    assert rule_from_api(sent) == rule
    assert rule_from_options(rule_to_options(rule)) == rule
    drifted: dict[str, Any] = {key: int(value) if isinstance(value, bool) else value for key, value in sent.items()}
    drifted["security_flavor"] = {key: int(value) for key, value in sent["security_flavor"].items()}
    assert rule_from_api({**drifted, "id": rule.client}) == rule


@given(SERVICES)
def test_the_service_survives_the_way_to_dsm_and_back(service: Service) -> None:
    assert service_from_api({**service_to_api(service), "support_minor_ver": service.max_minor}) == service


def test_no_squashing_is_what_dsm_calls_root() -> None:
    assert rule_to_api(Rule("10.0.0.1", squash="no_mapping"))["root_squash"] == "root"


def test_a_word_for_squashing_that_only_dsm_knows_is_kept() -> None:
    assert rule_from_api({"client": "a", "privilege": "ro", "root_squash": "novel"}).squash == "novel"


def test_what_an_earlier_task_would_make_is_planned_for() -> None:
    item = [("docs", [Rule("*")]), ("docs", []), ("photos", [])]
    current, missing = assume_created(Nfs(Service(), {"photos": ()}), [share for share, _rules in item])
    assert missing == ["share docs"]
    assert current.exports == {"photos": (), "docs": ()}
