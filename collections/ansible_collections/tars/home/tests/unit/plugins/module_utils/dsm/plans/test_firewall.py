# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
from typing import Any, Optional

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.firewall import (
    GLOBAL,
    Access,
    Firewall,
    Rule,
    Section,
    locked_out,
    plan,
    predict,
    profile_to_api,
    sections_from_api,
    to_dict,
)
from ansible_collections.tars.home.plugins.module_utils.dsm.values import PlanError
from hypothesis import given
from hypothesis import strategies as st

CONTROLLER = Access("10.77.0.1", [5001, 22])


DSM = Rule("DSM", protocol="tcp", port_group="custom", ports="5001", source_group="ip", source="10.77.0.1")
DROP = dataclasses.replace(DSM, name="out", action="drop")


@pytest.mark.parametrize(
    ("rules", "policy", "shut"),
    [
        ([], "none", False),
        ([], "allow", False),
        ([], "drop", True),
        ([], "novel", True),
        ([DSM], "drop", False),
        ([DROP, DSM], "allow", True),
        ([DSM, DROP], "drop", False),
        ([dataclasses.replace(DSM, enabled=False)], "drop", True),
        ([dataclasses.replace(DROP, enabled=False)], "none", False),
        ([dataclasses.replace(DSM, ports="5000-5002,80")], "drop", False),
        ([dataclasses.replace(DSM, ports="80")], "drop", True),
        ([dataclasses.replace(DSM, port_group="all", ports="all")], "drop", False),
        ([dataclasses.replace(DSM, protocol="udp")], "drop", True),
        ([dataclasses.replace(DSM, protocol="all")], "drop", False),
        ([dataclasses.replace(DSM, source_group="all", source="all")], "drop", False),
        ([dataclasses.replace(DSM, source_group="netmask", source="10.77.0.0/24")], "drop", False),
        ([dataclasses.replace(DSM, source_group="netmask", source="10.78.0.0/24")], "drop", True),
        ([dataclasses.replace(DSM, source_group="iprange", source="10.77.0.0-10.77.0.9")], "drop", False),
        ([dataclasses.replace(DSM, source_group="iprange", source="fd00::1-fd00::9")], "drop", True),
        ([dataclasses.replace(DSM, source_group="ipset", source="10.77.0.3,10.77.0.1")], "drop", False),
        # What cannot be known counts against the rules, both ways.
        ([dataclasses.replace(DSM, source_group="geoip", source="NL")], "drop", True),
        ([dataclasses.replace(DROP, source_group="geoip", source="NL")], "allow", True),
        ([dataclasses.replace(DSM, port_group="service", ports="dsm")], "drop", True),
        ([dataclasses.replace(DROP, port_group="service", ports="dsm")], "allow", True),
        ([dataclasses.replace(DSM, direction="source")], "drop", True),
        ([dataclasses.replace(DROP, direction="source")], "allow", True),
        ([dataclasses.replace(DROP, ports="?")], "allow", True),
        ([dataclasses.replace(DROP, source="?")], "allow", True),
        ([dataclasses.replace(DROP, protocol="novel")], "allow", True),
        ([dataclasses.replace(DROP, action="none")], "allow", False),
    ],
)
def test_who_is_locked_out(rules: list[Rule], policy: str, shut: bool) -> None:
    problems = locked_out({GLOBAL: Section(policy, tuple(rules))}, Access("10.77.0.1", [5001]))
    assert bool(problems) is shut


def test_both_orders_count_and_only_the_adapter_in_use_where_it_is_known() -> None:
    sections = {GLOBAL: Section("none", (DSM,)), "eth0": Section("drop"), "eth1": Section("allow")}
    assert "the policy of eth0 drops it if DSM evaluates eth0 first" in "".join(locked_out(sections, CONTROLLER))
    assert locked_out(sections, Access("10.77.0.1", [5001], "eth1")) == []
    assert len(locked_out(sections, Access("10.77.0.1", [5001], "eth0"))) == 1


PORTS = st.sampled_from(["5001", "22", "5000-5002", "1-65535", "2049"])
SOURCES = st.sampled_from([[], ["10.77.0.1"], ["10.77.0.1", "10.77.0.9"], ["10.77.0.0/24"], ["10.77.0.0-10.77.0.5"]])
DESIRED_RULES = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "ports": st.lists(PORTS, max_size=2), "sources": SOURCES},
    optional={
        "enabled": st.booleans(),
        "action": st.sampled_from(["allow", "drop"]),
        "protocol": st.sampled_from(["all", "tcp", "udp"]),
    },
)
DESIRED = st.lists(
    st.fixed_dictionaries(
        {
            "adapter": st.sampled_from([GLOBAL, "eth0", "eth1"]),
            "policy": st.sampled_from(["none", "allow", "drop"]),
            "rules": st.lists(DESIRED_RULES, max_size=3),
        }
    ),
    max_size=3,
    unique_by=lambda section: str(section["adapter"]),
)


@given(st.booleans(), DESIRED, DESIRED, st.none() | st.booleans())
def test_a_second_plan_is_empty_and_the_controller_is_not_locked_out(
    on: bool, present: list[dict[str, Any]], wanted: list[dict[str, Any]], enabled: Optional[bool]
) -> None:
    start = predict(Firewall(False, "default", {}), plan(Firewall(False, "default", {}), present, None, None))
    current = Firewall(on, "default", start.sections)
    try:
        changes = plan(current, wanted, enabled, CONTROLLER)
    except PlanError as error:
        assert all("would lock this machine" in problem for problem in error.problems)
        return
    after = predict(current, changes)
    assert plan(after, wanted, enabled, CONTROLLER) == []
    named = {section["adapter"] for section in wanted}
    assert all(after.sections[name] == section for name, section in current.sections.items() if name not in named)
    assert after.enabled is (on if enabled is None else enabled)
    if changes and after.enabled:
        assert locked_out(after.sections, CONTROLLER) == []
    sent = profile_to_api({"name": "default", "total": 1}, after.sections)
    assert (sections_from_api(sent), sent["total"]) == (after.sections, 1)
    for section in wanted:
        shown = to_dict(after)["sections"].get(section["adapter"], {"policy": "none", "rules": []})
        assert shown["policy"] == section["policy"]
        assert shown["rules"] == [{**rule, **section["rules"][at]} for at, rule in enumerate(shown["rules"])]
