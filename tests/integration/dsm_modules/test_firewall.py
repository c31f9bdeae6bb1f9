# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_firewall against a NAS that behaves like DSM, with faults. The NAS's own state is what counts."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

API = "SYNO.Core.Security.Firewall"
STORE = "set the firewall's section global to 2 rules, then drop"
APPLY = "put the firewall's profile default into force"


def desired(twin: Twin, sources: tuple[str, ...] = ("127.0.0.1",)) -> dict[str, Any]:
    rules = [
        {"name": "DSM", "protocol": "tcp", "ports": [str(twin.port), "5001"], "sources": list(sources)},
        {"name": "NFS", "ports": ["2049"], "sources": ["10.77.0.10", "10.77.0.30"]},
    ]
    return {"enabled": True, "sections": [{"adapter": "global", "policy": "drop", "rules": rules}]}


def kept(twin: Twin) -> dict[str, Any]:
    section: dict[str, Any] = twin.state["firewall"]["profiles"]["default"]["global"]
    return section


def test_check_then_run_then_run_again(twin: Twin) -> None:
    planned = twin.run("dsm_firewall", check=True, **desired(twin))
    assert (planned["changes"], kept(twin)["policy"]) == ([STORE, APPLY], "none")
    done = twin.run("dsm_firewall", **desired(twin))
    for key in ("changed", "changes", "diff", "firewall"):
        assert planned[key] == done[key]
    assert "10.77.0.30" in (twin.root / "firewall.nft").read_text()
    assert twin.nas.tasks == {}
    second = twin.run("dsm_firewall", **desired(twin))
    assert (second["changed"], second["changes"]) == (False, [])
    assert twin.count(f"{API}.Profile.set") == 0


def test_rules_that_shut_this_machine_out_are_refused_before_the_first_write(twin: Twin) -> None:
    result = twin.run("dsm_firewall", **desired(twin, ("10.77.0.30",)))
    assert f"would lock this machine (127.0.0.1) out of port {twin.port}" in result["msg"]
    assert "the policy of global drops it" in result["msg"]
    assert twin.count(f"{API}.Profile.set") == 0
    twin.run("dsm_system", ssh=True)
    result = twin.run("dsm_firewall", **desired(twin))
    assert "out of port 22" in result["msg"] and str(twin.port) not in result["msg"]


@pytest.mark.parametrize("on", ["Profile.set", "Profile.Apply.start"])
def test_a_lost_answer_still_succeeds(twin: Twin, on: str) -> None:
    twin.faults.add("drop_after_write", on=f"{API}.{on}")
    result = twin.run("dsm_firewall", **desired(twin))
    assert (result["changed"], twin.faults.listed()) == (True, [])
    assert twin.state["firewall"]["applied"]["global"]["policy"] == "drop"


def test_a_yes_without_effect_is_noticed_before_it_comes_into_force(twin: Twin) -> None:
    twin.faults.add("silent_noop", on=f"{API}.Profile.set")
    result = twin.run("dsm_firewall", **desired(twin))
    assert "DSM answered that it is stored, but reading back shows 0 rules" in result["msg"]
    assert twin.count(f"{API}.Profile.Apply.start") == 0


def test_rules_that_did_not_come_into_force_are_taken_back_and_the_next_run_heals(twin: Twin) -> None:
    # This twin's own trial is of port 5001, which the desired leaves out: DSM's last guard, 1103.
    rules = desired(twin)
    rules["sections"][0]["rules"][0]["ports"] = [str(twin.port)]
    result = twin.run("dsm_firewall", **rules)
    assert "would lock this machine out, and restored the old ones (code 1103" in result["msg"]
    assert kept(twin)["policy"] == "none"
    assert twin.state["firewall"]["applied"] is None
    assert twin.run("dsm_firewall", **desired(twin))["changes"] == [STORE, APPLY]


def test_off(twin: Twin) -> None:
    twin.run("dsm_firewall", **desired(twin))
    assert twin.run("dsm_firewall", enabled=False)["changes"] == ["turn the firewall off"]
    assert twin.state["firewall"]["applied"] is None
