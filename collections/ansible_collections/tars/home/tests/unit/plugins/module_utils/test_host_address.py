# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils import host_address
from ansible_collections.tars.home.plugins.module_utils.host_address import AddressError, Interface, Wish, plan

WISH = Wish("192.168.1.10/24", "192.168.1.1")
LEASED = Interface(
    "eth0", ("192.168.1.77/24",), True, "192.168.1.1", "/etc/systemd/network/10-eth0.network", ("192.168.1.1",)
)
STATIC = dataclasses.replace(LEASED, addresses=("192.168.1.10/24",), dynamic=False)

CASES = {
    "born by DHCP": (LEASED, ["address 192.168.1.77/24 -> 192.168.1.10/24"]),
    "static already": (STATIC, []),
    "static, whoever did it": (dataclasses.replace(STATIC, managed=False, network_file=""), []),
    "reserved in the router": (
        dataclasses.replace(STATIC, dynamic=True, managed=False),
        [],
    ),
    "another router": (
        dataclasses.replace(LEASED, gateway=""),
        ["address 192.168.1.77/24 -> 192.168.1.10/24", "gateway none -> 192.168.1.1"],
    ),
    "never written to disk": (
        dataclasses.replace(STATIC, unconfirmed=True),
        ["written where a reboot loses it -> written to disk"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_has_to_change(name: str) -> None:
    current, expected = CASES[name]
    assert plan(current, WISH) == expected


def test_an_interface_of_another_program_is_refused_with_a_way_out() -> None:
    with pytest.raises(AddressError, match=r"not looked after by systemd-networkd.*reserve the address"):
        plan(dataclasses.replace(LEASED, managed=False), WISH)


@pytest.mark.parametrize("address", ["192.168.1.11/24", "192.168.1.10/16"])
def test_a_static_address_is_not_replaced_behind_its_owners_back(address: str) -> None:
    with pytest.raises(AddressError, match=r"10-eth0\.network"):
        plan(dataclasses.replace(STATIC, addresses=(address,)), WISH)


def test_an_interface_is_read_from_what_ip_and_networkd_say() -> None:
    addresses = [{"addr_info": [{"family": "inet", "local": "192.168.1.77", "prefixlen": 24, "dynamic": True}]}]
    routes = [{"dst": "default", "gateway": "192.168.1.1", "protocol": "dhcp"}]
    link = {"ADMIN_STATE": "configured", "NETWORK_FILE": LEASED.network_file, "DNS": "192.168.1.1"}
    assert host_address.interface("eth0", json.dumps(addresses), json.dumps(routes), link) == LEASED


def test_name_servers_of_a_lease_stay_unless_others_are_wished() -> None:
    kept = host_address.drop_in(LEASED, WISH, keeps_dhcp6=False)
    assert "DNS=192.168.1.1\n" in kept and "DHCP=no\n" in kept and "Address=192.168.1.10/24\n" in kept
    other = host_address.drop_in(LEASED, dataclasses.replace(WISH, dns=("9.9.9.9",)), keeps_dhcp6=True)
    assert "DNS=9.9.9.9\n" in other and "192.168.1.1\n" not in other.replace("Gateway=192.168.1.1\n", "")
    assert "DHCP=ipv6\n" in other
