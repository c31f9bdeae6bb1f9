# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about the household's network: address range, firewall, name service."""

from __future__ import annotations

from pydantic import Field

from tars_provision.spec.model.base import IpAddress, Ipv4Address, Ipv4Network, Section


class Network(Section):
    """The home network."""

    cidr: Ipv4Network = Field(examples=["192.168.1.0/24"])
    """Address range of the home network."""
    gateway: Ipv4Address = Field(examples=["192.168.1.1"])
    """Address of the router, inside the range."""
    dns: tuple[IpAddress, ...] | None = Field(default=None, examples=[["192.168.1.1"]])
    """Upstream name servers. Without `names`, both machines use them (the NAS the first two); with `names`, the
    desktop forwards queries to them. Default: each machine keeps the servers it has, such as those from DHCP."""


class Firewall(Section):
    """Host firewalls of both machines. Without this section, their firewalls stay as they are.

    Sources are `household` (all of `network.cidr`, and over IPv6 the on-link networks of the desktop's interface),
    names under `hosts` and `machines` (their IPv4 address), addresses and networks.
    """

    enabled: bool = True
    """Whether the firewalls are enabled."""
    manage: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["laptop", "192.168.1.64/28"]])
    """Sources that may reach SSH and DSM. They must include the controller. With a section `backup`, those of the NAS
    are closed to the desktop unless it is listed itself, so that an intruder there cannot delete snapshots."""
    use: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["household"]])
    """Sources that may reach the web page, and the NAS's `open_ports`."""


class Names(Section):
    """DNS server for the zone: dnsmasq on the desktop. Without this section, no DNS server is configured.

    It answers for everything under `hosts` and `machines`, and forwards other queries. The NAS uses it first.
    """

    enabled: bool = True
    """Whether it runs. `false` removes what an earlier run configured."""
