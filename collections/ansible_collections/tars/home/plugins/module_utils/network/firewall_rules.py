# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the desktop's firewall in nftables' words, and whom they let in. Pure: no network, no Ansible."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ON_LINK = "link6"
"""Source that stands for the IPv6 networks on the household's own link, which no spec can know beforehand."""

LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")

TABLE = """\
table inet tars {{
	comment "written by tars.home.host_firewall, changes are lost"
{again}
	# Who may begin a conversation with this machine.
	chain judge {{
		ct state {{ established, related }} accept
		iifname "lo" accept
		icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept
		# RFC 4890: without these there is no IPv6.
		icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} accept
		icmpv6 type {{ mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
		# Answers of DHCP come from an address that was never asked.
		udp sport 67 udp dport 68 accept
		ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
{rules}
		drop
	}}

	# Before a container engine translates the destination: a published port is judged like any other.
	chain arriving {{
		type filter hook prerouting priority mangle; policy accept;
		fib daddr type local jump judge
	}}

	chain input {{
		type filter hook input priority filter; policy drop;
		jump judge
	}}

	# A neighbour that knows the addresses of containers or virtual machines does not get around `arriving`.
	chain passing {{
		type filter hook forward priority filter; policy accept;
		ct state {{ established, related }} accept
		ct status dnat accept
		meta iifkind != "bridge" meta oifkind "bridge" drop
	}}
}}
"""

AGAIN = """
	# Who was told that an answer is too large for UDP asks again over TCP (RFC 7766). So long, and to nobody else,
	# TCP is open. TC, which says so, is bit 22 of a DNS message (RFC 1035, 4.1.1), behind the 64 bits of UDP's header.
	set again {{
		type ipv4_addr; flags dynamic,timeout; size 4096; timeout 10s;
	}}

	set again6 {{
		type ipv6_addr; flags dynamic,timeout; size 4096; timeout 10s;
	}}

	chain answering {{
		type filter hook output priority filter; policy accept;
		udp sport {{ {ports} }} @th,86,1 1 update @again {{ ip daddr }}
		udp sport {{ {ports} }} @th,86,1 1 update @again6 {{ ip6 daddr }}
	}}
"""

EMPTY = "table inet tars\ndelete table inet tars\n"
"""Removes the table, whether it is there or not."""


class FirewallError(Exception):
    """The rules cannot be as wished. The message names what, and the next step."""


@dataclass(frozen=True)
class Service:
    """Ports that some may reach: `sources` are networks, addresses, or `link6`.

    `protocol` is tcp, udp, or dns: UDP, and TCP for whoever has just been told to ask again that way.
    """

    name: str
    ports: tuple[int, ...]
    sources: tuple[str, ...]
    protocol: str = "tcp"


def on_link(routes: str) -> list[ipaddress.IPv6Network]:
    """The IPv6 networks on an interface's link, out of `ip -json -6 route show dev INTERFACE`, and fe80::/10."""
    found = {LINK_LOCAL}
    for route in json.loads(routes or "[]"):
        if "gateway" not in route and "via" not in route and "/" in route["dst"]:
            network = ipaddress.IPv6Network(route["dst"])
            if not network.is_link_local and not network.is_multicast and network.prefixlen:
                found.add(network)
    return sorted(found)


def networks(sources: Iterable[str], link: Sequence[ipaddress.IPv6Network]) -> list[Network]:
    """Sources as networks of either family. Raises FirewallError for one that is neither network nor address."""
    found: list[Network] = []
    for source in sources:
        if source == ON_LINK:
            found += link
            continue
        try:
            found.append(ipaddress.ip_network(source))
        except ValueError as error:
            raise FirewallError(
                f"source {source!r} is no network or address ({error}). Give one such as 192.168.1.0/24, or {ON_LINK}."
            ) from None
    return found


def render(services: Sequence[Service], interface: Optional[str], link: Sequence[ipaddress.IPv6Network]) -> str:
    """The whole table. Who may use any service is refused the others at once, all others are not answered."""
    rules = [f'iifname != "{interface}" ip6 saddr fe80::/10 drop'] if interface else []
    everyone: list[Network] = []
    for service in services:
        let_in = networks(service.sources, link)
        everyone += let_in
        to = f'dport {{ {_ports([service])} }} accept comment "{service.name}"'
        for match in _matches(let_in):
            if service.protocol == "dns":
                rules += [f"{match} udp {to}", f"{match} {_TOLD[match.split()[0]]} tcp {to}"]
            else:
                rules.append(f"{match} {service.protocol} {to}")
    for match in _matches(everyone):
        rules.append(f"{match} {'icmp' if match.startswith('ip ') else 'icmpv6'} type echo-request accept")
        rules.append(f"{match} meta l4proto tcp reject with tcp reset")
    names = [service for service in services if service.protocol == "dns"]
    again = AGAIN.format(ports=_ports(names)) if names else ""
    return TABLE.format(again=again, rules="\n".join(f"\t\t{rule}" for rule in rules))


def lets_in(
    services: Sequence[Service],
    interface: Optional[str],
    link: Sequence[ipaddress.IPv6Network],
    address: str,
    port: int,
) -> bool:
    """Whether the rules admit a TCP connection from the address, which may carry a zone (%eth0), to the port."""
    bare, _, zone = address.partition("%")
    here = ipaddress.ip_address(bare)
    if zone and interface and zone != interface:
        return False
    return any(
        service.protocol == "tcp" and port in service.ports and here in network
        for service in services
        for network in networks(service.sources, link)
    )


def _ports(services: Iterable[Service]) -> str:
    return ", ".join(map(str, sorted({port for service in services for port in service.ports})))


_TOLD = {"ip": "ip saddr @again", "ip6": "ip6 saddr @again6"}


def _matches(found: Iterable[Network]) -> list[str]:
    """The left sides of rules that match these networks, at most one a family; nftables refuses overlaps."""
    four = ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv6Network))
    sets = {"ip saddr": ", ".join(map(str, four)), "ip6 saddr": ", ".join(map(str, six))}
    return [f"{family} {{ {members} }}" for family, members in sets.items() if members]
