# SPDX-License-Identifier: GPL-3.0-or-later
import ipaddress
import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.network import firewall as host_firewall
from ansible_collections.tars.home.plugins.module_utils.network import firewall_rules
from ansible_collections.tars.home.plugins.module_utils.network.firewall import State
from ansible_collections.tars.home.plugins.module_utils.network.firewall_rules import (
    FirewallError,
    Service,
    lets_in,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

LINK = [ipaddress.IPv6Network("fd77:7a52::/64"), firewall_rules.LINK_LOCAL]
SSH = Service("ssh", (22,), ("192.168.1.30", "10.8.0.0/24"))
HTTPS = Service("https", (443,), ("192.168.1.0/24", "link6"))

ROUTES = [
    {"dst": "fd77:7a52::/64", "dev": "eth0", "protocol": "kernel", "metric": 256, "flags": [], "pref": "medium"},
    {"dst": "2001:db8:4:5::/64", "dev": "eth0", "protocol": "ra", "metric": 100, "flags": [], "pref": "medium"},
    {"dst": "2001:db8:4:5::9", "dev": "eth0", "protocol": "kernel", "metric": 100, "flags": [], "pref": "medium"},
    {"dst": "2001:db8:77::/48", "gateway": "fe80::1", "dev": "eth0", "protocol": "ra", "flags": []},
    {"dst": "fe80::/64", "dev": "eth0", "protocol": "kernel", "metric": 256, "flags": [], "pref": "medium"},
    {"dst": "default", "gateway": "fe80::1", "dev": "eth0", "protocol": "ra", "flags": []},
]
"""`ip -json -6 route show dev eth0` of a machine with a unique local and a delegated prefix."""


def test_the_networks_on_the_link_are_those_without_a_router_between() -> None:
    found = firewall_rules.on_link(json.dumps(ROUTES))
    assert [str(network) for network in found] == ["2001:db8:4:5::/64", "fd77:7a52::/64", "fe80::/10"]
    assert firewall_rules.on_link("") == [firewall_rules.LINK_LOCAL]


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("192.168.1.30", 22, True),
        ("192.168.1.31", 22, False),
        ("10.8.0.77", 22, True),
        ("192.168.1.31", 443, True),
        ("fd77:7a52::30", 443, True),
        ("fd77:7a52::30", 22, False),
        ("fe80::5%eth0", 443, True),
        ("fe80::5%wlan0", 443, False),
        ("2001:db8::1", 443, False),
        ("192.168.1.30", 8443, False),
    ],
)
def test_whom_the_rules_let_in(address: str, port: int, expected: bool) -> None:
    assert lets_in([SSH, HTTPS], "eth0", LINK, address, port) is expected


ADDRESSES = st.sampled_from(["192.168.1.30", "192.168.1.77", "10.8.0.4", "fd77:7a52::30", "fe80::1", "2001:db8::1"])
SOURCES = st.sampled_from(["192.168.1.0/24", "192.168.1.30", "10.0.0.0/8", "link6", "fd00::/8", "fd77:7a52::30"])
SERVICES = st.builds(
    Service,
    name=st.just("any"),
    ports=st.lists(st.sampled_from([22, 53, 443]), min_size=1).map(tuple),
    sources=st.lists(SOURCES).map(tuple),
    protocol=st.sampled_from(["tcp", "udp"]),
)


@given(st.lists(SERVICES), ADDRESSES, st.sampled_from([22, 53, 443]))
def test_what_is_said_of_the_rules_is_what_they_say(services: list[Service], address: str, port: int) -> None:
    here = ipaddress.ip_address(address)
    family = "ip" if here.version == 4 else "ip6"
    accepted = re.findall(rf"{family} saddr {{ (.*) }} tcp dport {{ (.*) }} accept", render(services, "eth0", LINK))
    matched = any(
        str(port) in ports.split(", ") and any(here in ipaddress.ip_network(n) for n in members.split(", "))
        for members, ports in accepted
    )
    assert lets_in(services, "eth0", LINK, address, port) is matched


def test_a_source_that_is_none_is_named() -> None:
    with pytest.raises(FirewallError, match=r"laptop.*192\.168\.1\.0/24"):
        render([Service("ssh", (22,), ("laptop",))], "eth0", LINK)


@pytest.mark.parametrize("ports", [(53,), (53, 5353)])
def test_the_kernel_takes_the_rules_for_names_and_gives_back_what_it_takes_again(ports: tuple[int, ...]) -> None:
    """The rollback loads what nft listed."""
    text = render([SSH, Service("dns", ports, ("192.168.1.0/24", "link6"), "dns")], "eth0", LINK)
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]
    lists = f"nft {shlex.join(host_firewall.LISTED)}"
    script = f"nft -f - && {lists} > $0 && nft delete table inet tars && nft -f $0 && {lists}"
    with tempfile.NamedTemporaryFile() as listed:
        again = subprocess.run([*alone, script, listed.name], input=text, capture_output=True, text=True, check=True)
        assert again.stdout == Path(listed.name).read_text() and "ip saddr @again tcp dport" in again.stdout
    assert lets_in([Service("dns", ports, ("192.168.1.0/24",), "dns")], "eth0", LINK, "192.168.1.30", 53) is False


def test_plan_names_what_differs_and_nothing_once_it_is_there() -> None:
    desired = State("table inet tars {}", "text", host_firewall.UNIT_TEXT, host_firewall.DROP_IN_TEXT, True, True)
    assert host_firewall.plan(desired, desired) == ()
    assert host_firewall.plan(State(), State()) == ()
    assert host_firewall.plan(State(), desired) == ("table", "rules", "unit", "drop_in", "enabled", "active")
