# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the firewall in the language of nftables, and which sources they admit. Pure: no network, no Ansible."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Union

from ..resource.errors import ResourceError

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ON_LINK = "link6"
"""Source that stands for the IPv6 networks on the link of the interface, which cannot be known beforehand."""

LINK_LOCAL = ipaddress.IPv6Network("fe80::/10")

TABLE = """\
table inet tars {{
	comment "written by tars.home.host_firewall, changes are lost"
{tcp_retry}
	# Which new connections to this machine are accepted.
	chain admission {{
		ct state {{ established, related }} accept
		iifname "lo" accept
		icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept
		# RFC 4890: IPv6 does not work without these.
		icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} accept
		icmpv6 type {{ mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept
		# Answers of DHCP come from another address than the one that was asked.
		udp sport 67 udp dport 68 accept
		ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
{rules}
		drop
	}}

	# Before a container engine translates the destination: a published port is filtered like any other.
	chain prerouting {{
		type filter hook prerouting priority mangle; policy accept;
		fib daddr type local jump admission
	}}

	chain input {{
		type filter hook input priority filter; policy drop;
		jump admission
	}}

	# A neighbour that knows the addresses of containers or virtual machines cannot bypass `prerouting`.
	chain forward {{
		type filter hook forward priority filter; policy accept;
		ct state {{ established, related }} accept
		ct status dnat accept
		meta iifkind != "bridge" meta oifkind "bridge" drop
	}}
}}
"""

TCP_RETRY = """
	# A client whose answer was truncated over UDP repeats the query over TCP (RFC 7766). TCP is open to such clients
	# alone, for ten seconds. TC, the flag of a truncated answer, is bit 22 of a DNS message (RFC 1035, 4.1.1), after
	# the 64 bits of the header of UDP.
	set tcp_retry {{
		type ipv4_addr; flags dynamic,timeout; size 4096; timeout 10s;
	}}

	set tcp_retry6 {{
		type ipv6_addr; flags dynamic,timeout; size 4096; timeout 10s;
	}}

	chain output {{
		type filter hook output priority filter; policy accept;
		udp sport {{ {ports} }} @th,86,1 1 update @tcp_retry {{ ip daddr }}
		udp sport {{ {ports} }} @th,86,1 1 update @tcp_retry6 {{ ip6 daddr }}
	}}
"""

EMPTY = "table inet tars\ndelete table inet tars\n"
"""Removes the table, whether it exists or not."""


class FirewallError(ResourceError):
    """The firewall cannot be as desired. The message names the reason and the next step."""


@dataclass(frozen=True)
class Service:
    """Ports that the sources may reach: networks, addresses, or `link6`.

    `protocol` is tcp, udp, or dns: UDP, and TCP for clients whose answer was truncated.
    """

    name: str
    ports: tuple[int, ...]
    sources: tuple[str, ...]
    protocol: str = "tcp"


def on_link(routes: str) -> list[ipaddress.IPv6Network]:
    """Return the IPv6 networks on an interface's link by `ip -json -6 route show dev INTERFACE`, and fe80::/10."""
    link = {LINK_LOCAL}
    for route in json.loads(routes or "[]"):
        if "gateway" not in route and "via" not in route and "/" in route["dst"]:
            network = ipaddress.IPv6Network(route["dst"])
            if not network.is_link_local and not network.is_multicast and network.prefixlen:
                link.add(network)
    return sorted(link)


def networks(sources: Iterable[str], link: Sequence[ipaddress.IPv6Network]) -> list[Network]:
    """Return sources as networks of either family. Raises FirewallError for one that is neither network nor address."""
    members: list[Network] = []
    for source in sources:
        if source == ON_LINK:
            members += link
            continue
        try:
            members.append(ipaddress.ip_network(source))
        except ValueError as error:
            raise FirewallError(
                f"invalid source {source!r}: {error}. Use a network or an address such as 192.168.1.0/24, or {ON_LINK}."
            ) from None
    return members


def render(services: Sequence[Service], interface: str | None, link: Sequence[ipaddress.IPv6Network]) -> str:
    """Return the whole table. Known sources get a TCP reset on closed ports; other traffic is dropped."""
    rules = [f'iifname != "{interface}" ip6 saddr fe80::/10 drop'] if interface else []
    known: list[Network] = []
    for service in services:
        admitted = networks(service.sources, link)
        known += admitted
        to = f'dport {{ {_ports([service])} }} accept comment "{service.name}"'
        for match in _matches(admitted):
            if service.protocol == "dns":
                rules += [f"{match} udp {to}", f"{match} {_RETRIES[match.split()[0]]} tcp {to}"]
            else:
                rules.append(f"{match} {service.protocol} {to}")
    for match in _matches(known):
        rules.append(f"{match} {'icmp' if match.startswith('ip ') else 'icmpv6'} type echo-request accept")
        rules.append(f"{match} meta l4proto tcp reject with tcp reset")
    names = [service for service in services if service.protocol == "dns"]
    tcp_retry = TCP_RETRY.format(ports=_ports(names)) if names else ""
    return TABLE.format(tcp_retry=tcp_retry, rules="\n".join(f"\t\t{rule}" for rule in rules))


def admits(
    services: Sequence[Service],
    interface: str | None,
    link: Sequence[ipaddress.IPv6Network],
    address: str,
    port: int,
) -> bool:
    """Return whether the rules admit a TCP connection from the address, which may carry a zone (%eth0), to the port."""
    bare, _, zone = address.partition("%")
    source = ipaddress.ip_address(bare)
    if zone and interface and zone != interface:
        return False
    return any(
        service.protocol == "tcp" and port in service.ports and source in network
        for service in services
        for network in networks(service.sources, link)
    )


def _ports(services: Iterable[Service]) -> str:
    return ", ".join(map(str, sorted({port for service in services for port in service.ports})))


_RETRIES = {"ip": "ip saddr @tcp_retry", "ip6": "ip6 saddr @tcp_retry6"}


def _matches(members: Iterable[Network]) -> list[str]:
    """Return the left sides of rules that match these networks, at most one a family; nftables refuses overlaps."""
    four = ipaddress.collapse_addresses(n for n in members if isinstance(n, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(n for n in members if isinstance(n, ipaddress.IPv6Network))
    families = {"ip saddr": ", ".join(map(str, four)), "ip6 saddr": ", ".join(map(str, six))}
    return [f"{family} {{ {listed} }}" for family, listed in families.items() if listed]
