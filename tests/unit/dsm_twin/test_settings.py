# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, gateway and name servers, time, SSH and SFTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NETWORK, TIME = "SYNO.Core.Network", "SYNO.Core.Region.NTP"
TERMINAL, SFTP = "SYNO.Core.Terminal", "SYNO.Core.FileServ.FTP.SFTP"
CLOCK = {"timezone": "London", "enable_ntp": "ntp", "server": "a.example,b.example"}
SSH = {"enable_ssh": True, "enable_telnet": False, "forbid_console": False, "ssh_port": 2222}


def network_settings(dsm: Any) -> dict[str, Any]:
    return {key: value for key, value in dsm.data(NETWORK, "get", 2).items() if key != "gateway_info"}


def test_the_name_is_set_only_with_all_settings(dsm: Any, tmp_path: Path) -> None:
    before = network_settings(dsm)
    assert dsm.code(NETWORK, "set", 2, server_name="nas") == 403
    assert dsm.code(NETWORK, "set", 2, **before | {"server_name": "no name"}) == 120
    assert dsm.code(
        NETWORK, "set", 2, raw={"server_name": "nas"}, **{k: before[k] for k in before if k != "server_name"}
    )
    assert network_settings(dsm) == before and not (tmp_path / "etc/hostname").exists()
    assert dsm.data(NETWORK, "set", 2, **before | {"server_name": "nas"}) == {"hostname_changed_and_join_domain": False}
    assert network_settings(dsm) == before | {"server_name": "nas"}
    assert (tmp_path / "etc/hostname").read_text() == "nas\n"


def test_resolvers_are_used_only_while_set_by_hand(dsm: Any) -> None:
    before = network_settings(dsm)
    resolver = {"dns_primary": "10.77.0.10", "dns_secondary": ""}
    assert dsm.code(NETWORK, "set", 2, **before | resolver | {"dns_manual": False}) == 0
    assert network_settings(dsm)["dns_primary"] == before["dns_primary"]
    assert dsm.code(NETWORK, "set", 2, **before | resolver | {"dns_manual": True}) == 0
    assert network_settings(dsm)["dns_primary"] == "10.77.0.10"
    assert dsm.code(NETWORK, "set", 2, **before | {"gateway": "router"}) == 4302


def test_the_first_version_has_one_setting_less(dsm: Any) -> None:
    first = dsm.data(NETWORK, "get", 1)
    assert "enable_ip_conflict_detect" not in first
    del first["gateway_info"]
    assert dsm.code(NETWORK, "set", 1, **first | {"server_name": "nas"}) == 0
    assert dsm.code(NETWORK, "set", 2, **first) == 403


def test_time_is_set_only_with_all_settings(dsm: Any) -> None:
    for missing in CLOCK:
        assert dsm.code(TIME, "set", 1, **{key: value for key, value in CLOCK.items() if key != missing}) == 5701
    for bad in ({"timezone": "Europe/London"}, {"enable_ntp": "yes"}, {"server": ""}, {"server": "a,b,c,d"}):
        assert dsm.code(TIME, "set", 1, **CLOCK | bad) == 5701
    assert dsm.code(TIME, "set", 3, **CLOCK) == 5701
    assert dsm.code(TIME, "set", 1, **CLOCK) == 0
    settings = dsm.data(TIME, "get", 1)
    assert {key: settings[key] for key in CLOCK} == CLOCK and "date_format" not in settings
    assert dsm.data(TIME, "get", 3)["date_format"] == "Y-m-d"
    assert "London" in [zone["value"] for zone in dsm.data(TIME, "listzone", 1)["zonedata"]]
    assert dsm.data("SYNO.Core.System", "info", 1)["time_zone"] == "London"


@pytest.mark.parametrize(
    ("api", "version", "values", "port"),
    [(TERMINAL, 3, SSH, "ssh_port"), (SFTP, 1, {"enable": True, "portnum": 2022}, "portnum")],
)
def test_services_are_set_only_with_all_settings(
    dsm: Any, api: str, version: int, values: dict[str, Any], port: str
) -> None:
    before = dsm.data(api, "get", version)
    for missing in values:
        assert dsm.code(api, "set", version, **{key: values[key] for key in values if key != missing}) == 120
    assert dsm.code(api, "set", version, **values | {port: 0}) == 120
    assert dsm.data(api, "get", version) == before
    assert dsm.code(api, "set", version, **values) == 0
    assert dsm.data(api, "get", version) == before | values
