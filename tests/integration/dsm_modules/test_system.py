# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_system against a NAS that behaves like DSM, with faults. The NAS's own state is what counts."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

DESIRED = {
    "server_name": "nas",
    "resolvers": ["10.77.0.10"],
    "time_zone": "London",
    "ntp_servers": ["a.example", "b.example"],
    "ssh": True,
    "sftp": False,
}
CHANGES = [
    "set server_name 'nas', resolvers '10.77.0.10'",
    "set time_zone 'London', ntp_servers 'a.example, b.example'",
    "set ssh True",
]


def test_check_then_run_then_run_again(twin: Twin) -> None:
    planned = twin.run("dsm_system", check=True, **DESIRED)
    assert planned["changes"] == CHANGES
    assert twin.state["network"] == {}
    done = twin.run("dsm_system", **DESIRED)
    for key in ("changed", "changes", "diff", "settings"):
        assert planned[key] == done[key]
    assert (twin.root / "etc/hostname").read_text() == "nas\n"
    assert twin.state["time"]["server"] == "a.example,b.example"
    assert twin.state["terminal"] == {
        "enable_ssh": True,
        "enable_telnet": False,
        "forbid_console": False,
        "ssh_port": 22,
    }
    second = twin.run("dsm_system", **DESIRED)
    assert (second["changed"], second["changes"]) == (False, [])
    assert not [call for call in twin.calls if call.endswith(".set")]
    shown = twin.run("dsm_info", gather=["settings"])["settings"]
    assert shown == done["settings"]


def test_a_wrong_zone_stops_before_the_first_change(twin: Twin) -> None:
    result = twin.run("dsm_system", **{**DESIRED, "time_zone": "Europe/Amsterdam"})
    assert "invalid time zone 'Europe/Amsterdam'" in result["msg"]
    assert "Near: Amsterdam" in result["msg"]
    assert twin.state["network"] == {}


def test_a_hindered_change_still_succeeds(twin: Twin) -> None:
    twin.faults.add("drop_after_write", on="SYNO.Core.Network.set")
    twin.faults.add("busy_117", on="SYNO.Core.Region.NTP.set")
    result = twin.run("dsm_system", **DESIRED)
    assert result["changed"] is True
    assert twin.faults.listed() == []
    assert (twin.state["network"]["server_name"], twin.state["time"]["timezone"]) == ("nas", "London")


def test_a_yes_without_effect_is_a_failure(twin: Twin) -> None:
    twin.faults.add("silent_noop", on="SYNO.Core.Terminal.set")
    result = twin.run("dsm_system", ssh=True)
    assert "reading back shows otherwise. Still to do: set ssh True" in result["msg"]
