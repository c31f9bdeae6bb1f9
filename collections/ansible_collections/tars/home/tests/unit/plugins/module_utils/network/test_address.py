# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.network import address as host_address
from ansible_collections.tars.home.plugins.module_utils.network import network_manager
from ansible_collections.tars.home.plugins.module_utils.network import networkd as networkd_module
from ansible_collections.tars.home.plugins.module_utils.network.address import Interface
from ansible_collections.tars.home.plugins.module_utils.network.interfaces import InterfaceError
from ansible_collections.tars.home.plugins.module_utils.network.renderer import AddressError, Configured, Desired
from ansible_collections.tars.home.plugins.module_utils.network.renderer import sections as sections_of

DESIRED = Desired("192.168.1.10/24", "192.168.1.1")
AS_DESIRED = Configured(frozenset([DESIRED.address]), frozenset([DESIRED.gateway]))
DYNAMIC = Interface("eth0", "02:00:5e:00:00:0a", ("192.168.1.77/24",), "192.168.1.1")
STATIC = dataclasses.replace(DYNAMIC, addresses=("192.168.1.10/24",))


def test_an_interface_is_parsed_from_the_output_of_ip() -> None:
    four = {"family": "inet", "local": "192.168.1.77", "prefixlen": 24, "dynamic": True}
    six = {"family": "inet6", "local": "fe80::1", "prefixlen": 64}
    addresses = [{"address": "02:00:5e:00:00:0a", "addr_info": [four, six]}]
    routes = [{"dst": "default", "gateway": "192.168.1.1", "protocol": "dhcp"}]
    assert host_address.parse_interface("eth0", json.dumps(addresses), json.dumps(routes)) == DYNAMIC


def test_the_reservation_names_address_machine_and_hardware_address() -> None:
    assert host_address.reservation(DYNAMIC, DESIRED, "xps8950") == (
        "reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router"
    )


def test_an_interface_without_a_supported_manager_is_refused_with_a_next_step() -> None:
    message = str(host_address.unmanaged(dataclasses.replace(DYNAMIC, name="none0"), DESIRED, "xps8950"))
    assert "neither systemd-networkd nor NetworkManager" in message
    assert "reserve 192.168.1.10 for xps8950 (02:00:5e:00:00:0a) in the router" in message


NETWORKD = {
    "DHCP": ("[Network]\nDHCP=ipv4\n", Configured(dhcp=True)),
    "DHCP for IPv6 alone": ("[Network]\nDHCP=ipv6\nAddress=fd00::1/64\nGateway=fe80::1\n", Configured()),
    "the last value counts": ("[Network]\nDHCP=yes\n[Network]\nDHCP=no\n", Configured()),
    "an address in its own section": (
        "[Network]\nDNS=9.9.9.9\n[Address]\nAddress=192.168.1.10/24\nLabel=eth0:1\n",
        Configured(frozenset([DESIRED.address])),
    ),
    "a default route and another one": (
        "[Route]\nDestination=10.0.0.0/8\nGateway=192.168.1.9\n[Route]\nGateway=192.168.1.1\n",
        Configured(gateways=frozenset([DESIRED.gateway])),
    ),
    "comments and spaces": (
        "# Address=1.2.3.4/8\n[Network]\n Address = 192.168.1.10/24 \nGateway=192.168.1.1\n",
        AS_DESIRED,
    ),
}


@pytest.mark.parametrize("name", NETWORKD)
def test_files_of_networkd_are_parsed(name: str) -> None:
    text, expected = NETWORKD[name]
    assert networkd_module.configured(text) == expected


@pytest.fixture
def networkd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> networkd_module.Networkd:
    """An interface with a file and a drop-in of its owner's."""
    roots = tuple(str(tmp_path / root) for root in ("etc", "run", "usr/local/lib", "usr/lib"))
    monkeypatch.setattr(networkd_module, "ROOTS", roots)
    monkeypatch.setattr(networkd_module, "alone", lambda interface, file: None)
    folder = tmp_path / "etc/systemd/network/10-eth0.network.d"
    folder.mkdir(parents=True)
    source = folder.with_suffix("")
    source.write_text("[Match]\nName=eth0\n[Network]\nDHCP=yes\nAddress=fd00::1/64\n")
    places = [f"{root}/systemd/network/10-eth0.network.d/zz-tars.conf" for root in roots]
    return networkd_module.Networkd(
        interface="eth0",
        program="systemd-networkd",
        source=str(source),
        dns=("192.168.1.1",),
        runtime_path=places[1],
        persistent_path=places[0],
        activate="",
        restore="",
        earlier_path=places[2],
    )


def test_a_drop_in_ends_dhcp_and_keeps_its_name_servers_and_dhcp_for_ipv6(
    networkd: networkd_module.Networkd,
) -> None:
    text = networkd.text(DESIRED)
    assert networkd_module.configured(Path(networkd.source).read_text() + text) == AS_DESIRED
    assert "DHCP=ipv6\n" in text and "DNS=192.168.1.1\n" in text
    other = networkd.text(dataclasses.replace(DESIRED, dns=("9.9.9.9",)))
    assert "DNS=9.9.9.9\n" in other and "DNS=192.168.1.1" not in other


def test_an_address_of_another_file_is_refused_but_not_an_earlier_one_of_ours(
    networkd: networkd_module.Networkd,
) -> None:
    ours = Path(networkd.persistent_path)
    ours.write_text("[Network]\nAddress=192.168.1.11/24\nGateway=192.168.1.1\n")
    assert "Address=192.168.1.10/24\n" in networkd.text(DESIRED)
    ours.with_name("owner.conf").write_text("[Network]\nAddress=192.168.1.12/24\n")
    with pytest.raises(AddressError, match=r"address 192.168.1.12/24 in \S*/owner.conf, .*Next: remove it there"):
        networkd.text(DESIRED)


def test_an_earlier_drop_in_is_moved_aside_until_the_new_one_is_kept(networkd: networkd_module.Networkd) -> None:
    networkd.move_aside()
    Path(networkd.persistent_path).write_text("earlier")
    networkd.move_aside()
    assert not Path(networkd.persistent_path).exists() and Path(networkd.earlier_path).read_text() == "earlier"
    networkd.finish()
    assert not Path(networkd.earlier_path).exists()


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
    assert network_manager.configured(OWNERS) == Configured(
        frozenset(["192.168.1.11/24"]), frozenset(["192.168.1.2"]), dhcp=True
    )
    ours = network_manager.profile(OWNERS, "eth0", DESIRED, ("192.168.1.1",))
    assert network_manager.configured(ours) == AS_DESIRED
    sections = dict(sections_of(ours))
    assert dict(sections["connection"]) == {
        "id": "tars-eth0",
        "uuid": network_manager.identifier("eth0"),
        "interface-name": "eth0",
        "autoconnect-priority": "999",
        "type": "ethernet",
        "zone": "home",
    }
    four = {"method": "manual", "address1": "192.168.1.10/24", "gateway": "192.168.1.1", "dns": "192.168.1.1;"}
    assert dict(sections["ipv4"]) == {**four, "dns-search": "example.org;", "route1": "10.0.0.0/8,192.168.1.9,5"}
    assert sections["ipv6"] == dict(sections_of(OWNERS))["ipv6"]
    assert sections["ethernet"] == [("cloned-mac-address", "random")] and ".nmmeta" not in sections
    assert network_manager.profile(ours, "eth0", DESIRED, ("192.168.1.1",)) == ours


ADDRESSES = [
    {"address": "02:00:5e:00:00:0a", "addr_info": [{"family": "inet", "local": "192.168.1.10", "prefixlen": 24}]}
]
ROUTES = [{"dst": "default", "gateway": "192.168.1.1"}]


def probed(*outputs: tuple[int, str]) -> str:
    return "".join(f"{text}\x1e{status}\x1e" for status, text in outputs)


def test_the_probe_reads_the_interface() -> None:
    output = probed((0, json.dumps(ADDRESSES)), (0, json.dumps(ROUTES)), (0, ""))
    assert host_address.parse("eth0", output) == STATIC


def test_the_probe_leaves_unconfirmed_changes_and_missing_interfaces_to_the_module() -> None:
    read = (0, json.dumps(ADDRESSES)), (0, json.dumps(ROUTES))
    assert host_address.parse("eth0", probed(*read, (0, "/run/tars-rollback/address/armed\n"))) is None
    assert host_address.parse("eth0", probed((1, ""), read[1], (0, ""))) is None
    assert host_address.parse("eth0", "") is None


def test_an_address_from_the_router_is_required_with_the_reservation() -> None:
    host_address.require_reserved(STATIC, DESIRED, "xps8950")
    with pytest.raises(AddressError, match=r"eth0: found 192.168.1.77/24, expected 192.168.1.10/24 .* Next: reserve "):
        host_address.require_reserved(DYNAMIC, DESIRED, "xps8950")


def test_an_unknown_interface_is_named_by_every_reader() -> None:
    for read in (host_address.read, host_address.find_renderer):
        with pytest.raises(InterfaceError, match="interface none0: the machine has no such interface; it has "):
            read("none0")
