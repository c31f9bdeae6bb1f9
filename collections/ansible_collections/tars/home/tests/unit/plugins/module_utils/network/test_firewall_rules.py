# SPDX-License-Identifier: GPL-3.0-or-later
import ipaddress
import json
import re
import shlex
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.network import firewall as host_firewall
from ansible_collections.tars.home.plugins.module_utils.network import firewall_rules, interfaces
from ansible_collections.tars.home.plugins.module_utils.network.firewall import Firewall, State
from ansible_collections.tars.home.plugins.module_utils.network.firewall_rules import (
    FirewallError,
    Service,
    admits,
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


def test_networks_on_the_link_are_those_without_a_router() -> None:
    networks = firewall_rules.on_link(json.dumps(ROUTES))
    assert [str(network) for network in networks] == ["2001:db8:4:5::/64", "fd77:7a52::/64", "fe80::/10"]
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
def test_sources_are_admitted(address: str, port: int, expected: bool) -> None:
    assert admits([SSH, HTTPS], "eth0", LINK, address, port) is expected


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
def test_the_check_agrees_with_the_rules(services: list[Service], address: str, port: int) -> None:
    source = ipaddress.ip_address(address)
    family = "ip" if source.version == 4 else "ip6"
    accepted = re.findall(rf"{family} saddr {{ (.*) }} tcp dport {{ (.*) }} accept", render(services, "eth0", LINK))
    matched = any(
        str(port) in ports.split(", ") and any(source in ipaddress.ip_network(n) for n in members.split(", "))
        for members, ports in accepted
    )
    assert admits(services, "eth0", LINK, address, port) is matched


def test_an_invalid_source_is_named() -> None:
    with pytest.raises(FirewallError, match=r"laptop.*192\.168\.1\.0/24"):
        render([Service("ssh", (22,), ("laptop",))], "eth0", LINK)


@pytest.mark.parametrize("ports", [(53,), (53, 5353)])
def test_the_kernel_loads_what_nft_lists(ports: tuple[int, ...]) -> None:
    """The rollback loads what nft listed."""
    text = render([SSH, Service("dns", ports, ("192.168.1.0/24", "link6"), "dns")], "eth0", LINK)
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"]
    listing = f"nft {shlex.join(host_firewall.LISTED)}"
    script = f"nft -f - && {listing} > $0 && nft delete table inet tars && nft -f $0 && {listing}"
    with tempfile.NamedTemporaryFile() as listed:
        second = subprocess.run([*alone, script, listed.name], input=text, capture_output=True, text=True, check=True)
        assert second.stdout == Path(listed.name).read_text() and "ip saddr @tcp_retry tcp dport" in second.stdout
    assert admits([Service("dns", ports, ("192.168.1.0/24",), "dns")], "eth0", LINK, "192.168.1.30", 53) is False


POLICY = host_firewall.Policy([SSH], "eth0")
RULES = POLICY.text("[]")
DESIRED = State("the table\n", RULES, host_firewall.UNIT_TEXT, host_firewall.DROP_IN_TEXT, True, True)
UNIT = "UnitFileState=enabled\nActiveState=active\n"


def probed(*outputs: tuple[int, str]) -> str:
    return "".join(f"{text}\x1e{status}\x1e" for status, text in outputs)


def test_the_diff_shows_table_and_files() -> None:
    fresh = Firewall(State(), DESIRED)
    after = host_firewall.predict(fresh, host_firewall.plan(fresh))
    assert [entry["before_header"] for entry in host_firewall.diff(fresh, after)] == [
        "table",
        host_firewall.RULES,
        host_firewall.UNIT,
        host_firewall.DROP_IN,
    ]


def test_the_probe_reads_the_firewall() -> None:
    texts = [(0, RULES), (0, host_firewall.UNIT_TEXT), (0, host_firewall.DROP_IN_TEXT)]
    link, table, unit, listed = (0, "[]"), (0, "the table\n"), (0, UNIT), (0, "the table\n")
    assert host_firewall.parse(POLICY, probed(link, table, *texts, unit, listed)) == Firewall(DESIRED, DESIRED, "[]")
    flushed = host_firewall.parse(POLICY, probed(link, (1, ""), *texts, unit, listed))
    assert flushed is not None and [str(change) for change in host_firewall.plan(flushed)] == ["table"]
    drifted = host_firewall.parse(POLICY, probed(link, (0, "another\n"), *texts, unit, listed))
    assert drifted is not None and [str(change) for change in host_firewall.plan(drifted)] == ["table"]


def test_the_probe_leaves_other_rules_to_the_module() -> None:
    texts = [(0, RULES), (0, host_firewall.UNIT_TEXT), (0, host_firewall.DROP_IN_TEXT)]
    link, table, unit, listed = (0, "[]"), (0, "the table\n"), (0, UNIT), (0, "the table\n")
    for output in [
        probed(link, table, (1, ""), *texts[1:], unit, listed),
        probed((0, json.dumps(ROUTES)), table, (0, "older\n"), *texts[1:], unit, listed),
        probed((1, ""), table, *texts, unit, listed),
        probed(link, table, *texts, unit, (127, "")),
        "",
    ]:
        assert host_firewall.parse(POLICY, output) is None


def test_no_firewall_is_desired() -> None:
    nothing = probed((0, ""), (127, ""), (1, ""), (1, ""), (1, ""), (0, "UnitFileState=\n"), (0, ""))
    policy = host_firewall.Policy(None)
    firewall = host_firewall.parse(policy, nothing)
    assert firewall == Firewall(State(), State()) and host_firewall.plan(firewall) == []


@pytest.mark.parametrize("name", ["enp4s0", "eth0.7", ""])
def test_an_interface_that_does_not_exist_is_named_with_those_that_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0"), (3, "veth1"), (4, "wlan0")])
    expected = f"interface {name}: the machine has no such interface; it has eth0, wlan0. Next: "
    with pytest.raises(interfaces.InterfaceError, match=re.escape(expected)):
        interfaces.require(name)
    interfaces.require("eth0")
