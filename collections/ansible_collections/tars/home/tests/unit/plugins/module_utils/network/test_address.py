# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.network import address as host_address
from ansible_collections.tars.home.plugins.module_utils.network import network_manager as address_network_manager
from ansible_collections.tars.home.plugins.module_utils.network import networkd as address_networkd
from ansible_collections.tars.home.plugins.module_utils.network.address import Interface, plan
from ansible_collections.tars.home.plugins.module_utils.network.renderer import AddressError, Told, Wish

WISH = Wish("192.168.1.10/24", "192.168.1.1")
WISHED = Told(frozenset([WISH.address]), frozenset([WISH.gateway]))
LEASED = Interface("eth0", "02:00:5e:00:00:0a", ("192.168.1.77/24",), "192.168.1.1")
STATIC = dataclasses.replace(LEASED, addresses=("192.168.1.10/24",))

CASES = {
    "born by DHCP": (LEASED, ["address 192.168.1.77/24 -> 192.168.1.10/24"]),
    "has it, whoever did it": (STATIC, []),
    "has another beside it": (
        dataclasses.replace(STATIC, addresses=("192.168.1.10/24", "192.168.1.77/24")),
        ["address 192.168.1.10/24, 192.168.1.77/24 -> 192.168.1.10/24"],
    ),
    "another network": (
        dataclasses.replace(STATIC, addresses=("192.168.1.10/16",)),
        ["address 192.168.1.10/16 -> 192.168.1.10/24"],
    ),
    "another router": (
        dataclasses.replace(LEASED, gateway=""),
        ["address 192.168.1.77/24 -> 192.168.1.10/24", "gateway none -> 192.168.1.1"],
    ),
    "never written to disk": (dataclasses.replace(STATIC, unconfirmed=True), [host_address.UNWRITTEN]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_has_to_change(name: str) -> None:
    current, expected = CASES[name]
    assert plan(current, WISH) == expected


def test_an_interface_is_read_from_what_ip_says() -> None:
    four = {"family": "inet", "local": "192.168.1.77", "prefixlen": 24, "dynamic": True}
    six = {"family": "inet6", "local": "fe80::1", "prefixlen": 64}
    addresses = [{"address": "02:00:5e:00:00:0a", "addr_info": [four, six]}]
    routes = [{"dst": "default", "gateway": "192.168.1.1", "protocol": "dhcp"}]
    assert host_address.interface("eth0", json.dumps(addresses), json.dumps(routes)) == LEASED


def test_the_router_is_told_who_gets_what_by_which_name() -> None:
    assert host_address.reservation(LEASED, WISH, "xps8950") == (
        "reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router"
    )


def test_an_interface_of_nobody_is_refused_with_a_way_out() -> None:
    said = str(host_address.refuse(dataclasses.replace(LEASED, name="none0"), WISH, "xps8950"))
    assert "neither by systemd-networkd nor NetworkManager" in said
    assert "reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router" in said


NETWORKD = {
    "a lease": ("[Network]\nDHCP=ipv4\n", Told(dhcp=True)),
    "a lease for IPv6 alone": ("[Network]\nDHCP=ipv6\nAddress=fd00::1/64\nGateway=fe80::1\n", Told()),
    "the last word counts": ("[Network]\nDHCP=yes\n[Network]\nDHCP=no\n", Told()),
    "an address in its own section": (
        "[Network]\nDNS=9.9.9.9\n[Address]\nAddress=192.168.1.10/24\nLabel=eth0:1\n",
        Told(frozenset([WISH.address])),
    ),
    "a default route, and one that is none": (
        "[Route]\nDestination=10.0.0.0/8\nGateway=192.168.1.9\n[Route]\nGateway=192.168.1.1\n",
        Told(gateways=frozenset([WISH.gateway])),
    ),
    "comments and spaces": (
        "# Address=1.2.3.4/8\n[Network]\n Address = 192.168.1.10/24 \nGateway=192.168.1.1\n",
        WISHED,
    ),
}


@pytest.mark.parametrize("name", NETWORKD)
def test_what_files_of_networkd_say(name: str) -> None:
    text, expected = NETWORKD[name]
    assert address_networkd.told(text) == expected


@pytest.fixture
def networkd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> address_networkd.Networkd:
    """An interface with a file and a drop-in of its owner's."""
    roots = tuple(str(tmp_path / root) for root in ("etc", "run", "usr/local/lib", "usr/lib"))
    monkeypatch.setattr(address_networkd, "ROOTS", roots)
    monkeypatch.setattr(address_networkd, "alone", lambda interface, file: None)
    folder = tmp_path / "etc/systemd/network/10-eth0.network.d"
    folder.mkdir(parents=True)
    source = folder.with_suffix("")
    source.write_text("[Match]\nName=eth0\n[Network]\nDHCP=yes\nAddress=fd00::1/64\n")
    places = [f"{root}/systemd/network/10-eth0.network.d/zz-tars.conf" for root in roots]
    return address_networkd.Networkd(
        interface="eth0",
        program="systemd-networkd",
        source=str(source),
        dns=("192.168.1.1",),
        below_run=places[1],
        below_etc=places[0],
        renew="",
        back="",
        stepped_back=places[2],
    )


def test_a_drop_in_ends_the_lease_and_keeps_its_name_servers_and_dhcp_for_ipv6(
    networkd: address_networkd.Networkd,
) -> None:
    text = networkd.text(WISH)
    assert address_networkd.told(Path(networkd.source).read_text() + text) == WISHED
    assert "DHCP=ipv6\n" in text and "DNS=192.168.1.1\n" in text
    other = networkd.text(dataclasses.replace(WISH, dns=("9.9.9.9",)))
    assert "DNS=9.9.9.9\n" in other and "DNS=192.168.1.1" not in other


def test_an_address_of_another_file_is_refused_by_its_name_and_an_earlier_one_of_ours_is_not(
    networkd: address_networkd.Networkd,
) -> None:
    ours = Path(networkd.below_etc)
    ours.write_text("[Network]\nAddress=192.168.1.11/24\nGateway=192.168.1.1\n")
    assert "Address=192.168.1.10/24\n" in networkd.text(WISH)
    ours.with_name("owner.conf").write_text("[Network]\nAddress=192.168.1.12/24\n")
    with pytest.raises(AddressError, match=r"address 192.168.1.12/24 by \S*/owner.conf, .*Next: take it out there"):
        networkd.text(WISH)


def test_an_earlier_drop_in_counts_less_until_the_new_one_is_kept(networkd: address_networkd.Networkd) -> None:
    networkd.make_way()
    Path(networkd.below_etc).write_text("earlier")
    networkd.make_way()
    assert not Path(networkd.below_etc).exists() and Path(networkd.stepped_back).read_text() == "earlier"
    networkd.settle()
    assert not Path(networkd.stepped_back).exists()


OWNERS = """\
[connection]
id=lan
uuid=6f7a0b6e-0000-4000-8000-000000000001
type=ethernet
autoconnect=false
autoconnect-priority=5
permissions=user:someone:;
zone=home

[ethernet]
cloned-mac-address=random

[ipv4]
address1=192.168.1.11/24,192.168.1.2
dns=9.9.9.9;
dns-search=example.org;
method=auto
never-default=true
route1=10.0.0.0/8,192.168.1.9,5
route2=0.0.0.0/0,192.168.1.2
route2_options=mtu=1400

[ipv6]
method=manual
address1=fd00::1/64
dns=fd00::53;

[.nmmeta]
nm-generated=true
"""


def test_a_profile_is_a_copy_but_for_its_name_and_its_ipv4_address() -> None:
    assert address_network_manager.told(OWNERS) == Told(
        frozenset(["192.168.1.11/24"]), frozenset(["192.168.1.2"]), dhcp=True
    )
    ours = address_network_manager.profile(OWNERS, "eth0", WISH, ("192.168.1.1",))
    assert address_network_manager.told(ours) == WISHED
    sections = dict(address_network_manager.sections(ours))
    assert dict(sections["connection"]) == {
        "id": "tars-eth0",
        "uuid": address_network_manager.identifier("eth0"),
        "interface-name": "eth0",
        "autoconnect-priority": "999",
        "type": "ethernet",
        "zone": "home",
    }
    four = {"method": "manual", "address1": "192.168.1.10/24", "gateway": "192.168.1.1", "dns": "192.168.1.1;"}
    assert dict(sections["ipv4"]) == {**four, "dns-search": "example.org;", "route1": "10.0.0.0/8,192.168.1.9,5"}
    assert sections["ipv6"] == dict(address_network_manager.sections(OWNERS))["ipv6"]
    assert sections["ethernet"] == [("cloned-mac-address", "random")] and ".nmmeta" not in sections
    assert address_network_manager.profile(ours, "eth0", WISH, ("192.168.1.1",)) == ours
