# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about the household's network: address range, firewall, name service."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from pydantic import Field, IPvAnyAddress

from tars_provision.spec.model.base import Section


class Network(Section):
    """The household's network."""

    cidr: IPv4Network = Field(examples=["192.168.1.0/24"])
    """Address range of the household's network."""
    gateway: IPv4Address = Field(examples=["192.168.1.1"])
    """Address of the router, inside the range."""
    dns: tuple[IPvAnyAddress, ...] | None = Field(default=None, examples=[["192.168.1.1"]])
    """Name servers for what is outside. Without `names`, both machines ask them, the NAS the first two; with `names`,
    the desktop asks them for everyone. Left out: those that the desktop has, and for the NAS what it has."""


class Firewall(Section):
    """Who may reach what on both machines. Left out: what they have stays.

    Sources are `household` (all of `network.cidr`, and over IPv6 the networks on the link of the desktop's interface),
    names under `hosts` and `machines` (the IPv4 address there), addresses and networks.
    """

    enabled: bool = True
    """Whether the firewalls are on."""
    manage: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["laptop", "192.168.1.64/28"]])
    """Sources that may reach ssh and DSM. The computer that provisions must be among them."""
    use: tuple[str, ...] = Field(default=("household",), min_length=1, examples=[["household"]])
    """Sources that may reach the web page, and the NAS's `open_ports`."""


class Names(Section):
    """Name service of the household, by dnsmasq on the desktop. Left out: nobody serves the zone.

    It knows everything under `hosts` and `machines`, and asks others for the rest. The NAS asks the desktop first.
    """

    enabled: bool = True
    """Whether it runs. false takes away what an earlier run has set up."""
