# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports, their addresses, the gateway and the name servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.interfaces import SETTINGS, Ipv4, parse, render

GENERAL, ETHERNET, INTERFACE = "SYNO.Core.Network", "SYNO.Core.Network.Ethernet", "SYNO.Core.Network.Interface"
PORT = {"ifname": "eth1", "mtu": 1500, "is_default_gateway": False, "enable_vlan": False}
STATIC = {**PORT, "use_dhcp": False, "ip": "10.9.0.20", "mask": "255.255.255.0", "gateway": "10.9.0.1", "dns": ""}


def rows(dsm: Any) -> dict[str, dict[str, Any]]:
    return {row["ifname"]: row for row in dsm.data(ETHERNET, "list", 2)}


def test_ports_are_listed_and_read_by_name(dsm: Any) -> None:
    ports = rows(dsm)
    assert [(name, row["ip"], row["use_dhcp"], row["speed"]) for name, row in ports.items()] == [
        ("eth0", "127.0.0.1", False, 1000),
        ("eth1", "", True, -1),
    ]
    assert dsm.data(ETHERNET, "get", 1, ifname="eth0") == ports["eth0"]
    assert dsm.code(ETHERNET, "get", 1) == 4302
    assert dsm.code(ETHERNET, "get", 1, ifname="eth9") == 4311
    assert dsm.code(ETHERNET, "get", 2, ifname="eth0") == 103
    assert dsm.data(GENERAL, "get", 2)["gateway_info"]["ip"] == "127.0.0.1"
    assert [row["ifname"] for row in dsm.data(INTERFACE, "list")] == ["eth0", "eth1"]


def test_a_static_address_is_written_to_the_machines_file_and_ends_the_sessions(dsm: Any, tmp_path: Path) -> None:
    assert dsm.code(ETHERNET, "set", 1, configs=[STATIC]) == 0
    written = (tmp_path / SETTINGS.format("eth1")).read_text()
    assert written == "[Network]\nAddress=10.9.0.20/24\nGateway=10.9.0.1\n"
    assert dsm.code(ETHERNET, "list", 2) == 119


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ifname": "eth9"}, 4311),
        ({"ip": "10.9.0"}, 4302),
        ({"ip": "10.9.0.255"}, 4302),
        ({"ip": "169.254.1.1", "gateway": ""}, 4315),
        ({"ip": "127.0.0.1", "mask": "255.0.0.0", "gateway": ""}, 4312),
        ({"mask": "24"}, 4302),
        ({"mask": "255.0.255.0"}, 4302),
        ({"gateway": "10.8.0.1"}, 4317),
        ({"gateway": "10.9.0.20"}, 4317),
        ({"dns": "router"}, 4302),
        ({"mtu": 9000}, 4302),
        ({"is_default_gateway": True}, 4302),
        ({"enable_vlan": True}, 4302),
        ({"vlan_id": 7}, 4302),
        ({"use_dhcp": True}, 4302),
        ({"use_dhcp": "false"}, 4302),
    ],
    ids=str,
)
def test_unobserved_settings_are_rejected(dsm: Any, tmp_path: Path, change: dict[str, Any], code: int) -> None:
    assert dsm.code(ETHERNET, "set", 1, configs=[{**STATIC, **change}]) == code
    assert not (tmp_path / "etc/systemd").exists()


def test_other_forms_of_the_write_are_rejected(dsm: Any) -> None:
    assert dsm.code(ETHERNET, "set", 1, **STATIC) == 4302
    assert dsm.code(ETHERNET, "set", 1, configs=STATIC) == 4302
    assert dsm.code(ETHERNET, "set", 1, configs=[]) == 4302
    assert dsm.code(ETHERNET, "set", 2, configs=[STATIC]) == 103
    short = {key: value for key, value in STATIC.items() if key != "dns"}
    assert dsm.code(ETHERNET, "set", 1, configs=[short]) == 4302


def test_a_gateway_must_be_in_the_network_of_a_port(dsm: Any, tmp_path: Path) -> None:
    before = {key: value for key, value in dsm.data(GENERAL, "get", 2).items() if key != "gateway_info"}
    assert dsm.code(GENERAL, "set", 2, **before | {"gateway": "10.9.0.1"}) == 4317
    assert dsm.code(GENERAL, "set", 2, **before | {"gateway": "127.0.0.77"}) == 0
    assert dsm.data(GENERAL, "get", 2)["gateway"] == "127.0.0.77"
    assert "Gateway=127.0.0.77\n" in (tmp_path / SETTINGS.format("eth0")).read_text()


def test_resolvers_set_by_hand_take_precedence(dsm: Any, tmp_path: Path) -> None:
    def resolvers() -> str:
        return (tmp_path / "etc/resolv.conf").read_text()

    general = {key: value for key, value in dsm.data(GENERAL, "get", 2).items() if key != "gateway_info"}
    by_hand = {"dns_manual": True, "dns_primary": "10.9.0.10", "dns_secondary": "10.9.0.11"}
    assert dsm.code(GENERAL, "set", 2, **general | by_hand) == 0
    assert resolvers() == "nameserver 10.9.0.10\nnameserver 10.9.0.11\n"
    port = {**STATIC, "ifname": "eth1", "dns": "10.9.0.12"}
    assert dsm.code(ETHERNET, "set", 1, configs=[port]) == 0
    assert resolvers().startswith("nameserver 10.9.0.10\n")


def test_without_resolvers_set_by_hand_those_of_the_address_are_used(dsm: Any, tmp_path: Path) -> None:
    assert dsm.code(ETHERNET, "set", 1, configs=[{**STATIC, "dns": "10.9.0.12"}]) == 0
    assert (tmp_path / "etc/resolv.conf").read_text() == "nameserver 10.9.0.12\n"


@pytest.mark.parametrize(
    "settings",
    [
        Ipv4(True),
        Ipv4(True, gateway="10.9.0.2"),
        Ipv4(False, "10.9.0.20", "255.255.255.0"),
        Ipv4(False, "10.9.0.20", "255.255.0.0", "10.9.0.1", "10.9.0.10"),
    ],
)
def test_rendered_settings_are_parsed_back(settings: Ipv4) -> None:
    assert parse(render(settings)) == settings


def test_the_file_of_a_new_machine_is_parsed() -> None:
    assert parse("[Network]\nDHCP=ipv4\n") == Ipv4(True)
    static = parse("[Network]\nAddress=10.77.0.20/24\nGateway=10.77.0.1\n")
    assert static == Ipv4(False, "10.77.0.20", "255.255.255.0", "10.77.0.1")
