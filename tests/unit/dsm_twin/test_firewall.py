# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall profiles: how they are stored and activated, and that one which locks the caller out is withdrawn."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.plans.firewall import Access, locked_out, sections_from_api
from hypothesis import given
from hypothesis import strategies as st

from tars_lab.dsm_twin import netfilter

API = "SYNO.Core.Security.Firewall"
RULE = {
    "name": "desk",
    "enable": True,
    "log": True,
    "policy": "allow",
    "protocol": "tcp",
    "port_direction": "destination",
    "port_group": "custom",
    "ports": "443,5000-5001",
    "source_ip_group": "ip",
    "source_ip": "10.77.0.1",
}


def profile(*rules: dict[str, Any], policy: str = "drop", **adapters: Any) -> dict[str, Any]:
    return {"name": "default", "global": {"policy": policy, "rules": list(rules)}, **adapters}


def store(dsm: Any, wanted: dict[str, Any]) -> int:
    return int(dsm.code(f"{API}.Profile", "set", profile=wanted, profile_applying=False))


def activate(dsm: Any) -> dict[str, Any]:
    task = dsm.data(f"{API}.Profile.Apply", "start", name="default", profile_applying=False)["task_id"]
    assert dsm.data(f"{API}.Profile.Apply", "status", task_id=task) == {"finish": False}
    assert dsm.code(f"{API}.Profile.Apply", "start", name="default", profile_applying=False) == 117
    answer: dict[str, Any] = dsm.data(f"{API}.Profile.Apply", "status", task_id=task)
    assert dsm.code(f"{API}.Profile.Apply", "stop", task_id=task) == 0
    assert dsm.code(f"{API}.Profile.Apply", "status", task_id=task) == 120
    return answer


def test_a_profile_is_stored_and_then_activated(dsm: Any, tmp_path: Path) -> None:
    assert dsm.data(API, "get") == {"enable_firewall": False, "profile_name": "default"}
    assert store(dsm, profile(RULE, total=7)) == 0
    stored = dsm.data(f"{API}.Profile", "get", name="default")
    assert stored == profile(RULE | {"log": False}, total=7), "other keys of the profile stay"
    assert not (tmp_path / "firewall.nft").exists()
    assert activate(dsm) == {"finish": True, "success": True}
    assert dsm.data(API, "get")["enable_firewall"] is True
    assert "10.77.0.1" in (tmp_path / "firewall.nft").read_text()
    assert dsm.data(f"{API}.Rules", "load", adapter="global")["rules"][0]["name"] == "desk"
    assert dsm.code(API, "set", set_type="enable") == 120
    assert dsm.code(API, "set", set_type="disable") == 0
    assert dsm.data(API, "get")["enable_firewall"] is False
    assert "delete table" in (tmp_path / "firewall.nft").read_text()


def test_deny_is_stored_as_none(dsm: Any) -> None:
    assert store(dsm, profile(RULE | {"policy": "deny"}, policy="deny")) == 0
    section = dsm.data(f"{API}.Profile", "get", name="default")["global"]
    assert (section["policy"], section["rules"][0]["policy"]) == ("none", "none")


def test_saving_and_activating_in_one_call_is_always_busy(dsm: Any) -> None:
    assert dsm.code(f"{API}.Profile", "set", profile=profile(RULE), profile_applying=True) == 117
    assert dsm.code(f"{API}.Profile.Apply", "start", name="default", profile_applying=True) == 117


def test_a_profile_that_locks_the_caller_out_is_withdrawn(dsm: Any, tmp_path: Path) -> None:
    assert store(dsm, profile(RULE)) == 0
    activate(dsm)
    before = (tmp_path / "firewall.nft").read_text()
    assert store(dsm, profile(RULE | {"source_ip": "10.77.0.9"})) == 0
    assert activate(dsm) == {"finish": True, "success": False, "errors": {"code": 1103}}
    assert dsm.data(f"{API}.Profile", "get", name="default") == profile(RULE | {"log": False})
    assert (tmp_path / "firewall.nft").read_text() == before


@pytest.mark.parametrize(
    "broken",
    [
        {"protocol": "sctp"},
        {"ports": "http"},
        {"port_group": "service", "ports": "unknown"},
        {"port_group": "all"},
        {"source_ip": "desk"},
        {"source_ip_group": "iprange", "source_ip": "10.0.0.9-10.0.0.1"},
        {"source_ip_group": "ipset", "source_ip": "10.0.0.1,::1"},
        {"enable": 1},
        {"policy": "reject"},
    ],
)
def test_bad_values_change_nothing(dsm: Any, broken: dict[str, Any]) -> None:
    before = dsm.data(f"{API}.Profile", "get", name="default")
    assert store(dsm, profile(RULE | broken)) == 120
    assert dsm.data(f"{API}.Profile", "get", name="default") == before


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Rules.save_start", {"adapter": '"global"'}),
        ("Profile.set", {"profile": '{"name":"default","global":{"policy":1,"rules":[{"ipGroup":5}]}}'}),
        (
            "Profile.set",
            {"profile": '{"name":"default","global":{"policy":"drop","rules":[{"ipGroup":5,"portList":[]}]}}'},
        ),
    ],
)
def test_calls_that_crash_the_program(dsm: Any, method: str, fields: dict[str, str]) -> None:
    api, _, name = f"{API}.{method}".rpartition(".")
    form = {"api": api, "method": name, "version": "1", "profile_applying": "false", **fields}
    answer = dsm.http.post("/webapi/entry.cgi", data=form | dsm.session)
    if '"policy":1' in str(fields):
        assert answer.json()["error"]["code"] == 120
    else:
        assert answer.status_code == 502
    assert dsm.code(API, "get") == 0, "the next call works again"


def test_connections_show_the_callers_own_address(nas: Any, dsm: Any) -> None:
    nas.sessions.open("child", False, "10.77.0.9", with_token=True)
    items = dsm.data("SYNO.Core.CurrentConnection", "list")["items"]
    assert {(item["from"], item["is_current_connected"]) for item in items} == {
        ("10.77.0.1", True),
        ("10.77.0.9", False),
    }


RULES = [
    RULE,
    RULE | {"protocol": "all", "ports": "2049"},
    RULE | {"port_group": "service", "ports": "ssh,cifs", "source_ip_group": "netmask", "source_ip": "10.0.0.0/8"},
    RULE | {"source_ip_group": "iprange", "source_ip": "10.0.0.1-10.0.0.9", "port_direction": "source"},
    RULE | {"source_ip_group": "ipset", "source_ip": "fd00::1,fd00::2", "ports": "20000:20010"},
    RULE | {"protocol": "icmp", "port_group": "all", "ports": "all", "source_ip_group": "all", "source_ip": "all"},
    RULE | {"source_ip_group": "geoip", "source_ip": "RU,CN"},
    RULE | {"enable": False},
]


def test_nftables_accepts_the_table() -> None:
    table = netfilter.render(profile(*RULES, eth0={"policy": "allow", "rules": RULES}))
    assert table.count("20000-20010") == 2 and "RU" not in table
    isolated = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*isolated, "nft", "list", "tables"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be created to load the table in")
    tried = subprocess.run([*isolated, "nft", "-f", "-"], input=table, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize(
    ("rules", "policy", "address", "port", "allowed"),
    [
        ([RULE], "drop", "10.77.0.1", 5001, True),
        ([RULE], "drop", "10.77.0.1", 22, False),
        ([RULE], "drop", "10.77.0.2", 5001, False),
        ([RULE], "none", "10.77.0.2", 5001, True),
        ([RULE | {"policy": "drop"}, RULE], "allow", "10.77.0.1", 5001, False),
        ([RULE | {"policy": "none"}], "drop", "10.77.0.1", 5001, False),
        ([RULE | {"enable": False}], "drop", "10.77.0.1", 5001, False),
        ([RULE | {"protocol": "udp"}], "drop", "10.77.0.1", 5001, False),
        ([RULES[2]], "drop", "10.1.2.3", 22, True),
        ([RULES[4]], "drop", "fd00::2", 20010, True),
    ],
)
def test_allowed_connections(rules: list[dict[str, Any]], policy: str, address: str, port: int, allowed: bool) -> None:
    assert netfilter.allows(profile(*rules, policy=policy), address, port, "eth0") is allowed


ADAPTERS = ["global", "eth0", "eth1"]
SECTIONS = st.fixed_dictionaries(
    {"policy": st.sampled_from(["none", "allow", "drop"]), "rules": st.lists(st.sampled_from(RULES), max_size=4)}
)


@given(st.dictionaries(st.sampled_from(ADAPTERS), SECTIONS), st.sampled_from([22, 443, 5001, 20001]), st.booleans())
def test_callers_that_pass_the_clients_check_are_allowed(sections: dict[str, Any], port: int, invert: bool) -> None:
    if invert:
        flipped = {"allow": "drop", "drop": "allow"}
        sections = {
            name: section | {"rules": [rule | {"policy": flipped[rule["policy"]]} for rule in section["rules"]]}
            for name, section in sections.items()
        }
    trial = locked_out(sections_from_api(sections), Access("10.77.0.1", [port]))
    allowed = [netfilter.allows(sections, "10.77.0.1", port, adapter) for adapter in ("eth0", "eth1", "eth2")]
    assert trial or all(allowed)
