# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about machines: the desktop, the NAS, and others that are only named."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import INTERFACE, SERIAL, USER, Name, Port, Section


class Connect(Section):
    """How Ansible reaches the desktop over ssh."""

    address: str | None = Field(default=None, examples=["192.168.1.77"])
    """Address or name it answers on before the first run. Left out: its own address."""
    user: str = Field(default="root", pattern=USER, examples=["owner"])
    """Account to log in with. Any other than root becomes root with sudo."""
    port: Port = 22
    """TCP port of its sshd."""
    private_key: str | None = Field(default=None, examples=["~/.ssh/id_ed25519"])
    """File of the private key on the controller. Left out: what ssh tries by itself."""
    known_hosts: str | None = Field(default=None, examples=["~/.ssh/known_hosts"])
    """File with the machine's host key on the controller. Left out: ssh's own."""


class Dsm(Section):
    """How the NAS's web interface (DSM) is reached."""

    port: Port = 5001
    """TCP port of DSM's HTTPS."""
    account: str = Field(default="tars-admin", min_length=1, examples=["tars-admin"])
    """Administrator's account. Its password is `tars_secrets.dsm_password` in the vault."""


class FirstContact(Section):
    """Where the NAS answers before the first run, and what it is recognised by."""

    address: IPv4Address = Field(examples=["192.168.1.77"])
    """Address it answers on before the first run, mostly one that the router's DHCP server chose."""
    serial: str = Field(pattern=SERIAL, examples=["15A0LKN000000"])
    """Its serial number, from its label or Control Panel > Info Center."""


class Clock(Section):
    """The clock of the NAS."""

    zone: str = Field(min_length=1, examples=["Amsterdam"])
    """Time zone in DSM's own words, as Control Panel shows it; Amsterdam stands for Central Europe."""
    servers: tuple[str, ...] = Field(min_length=1, max_length=3, examples=[["pool.ntp.org"]])
    """Time servers."""


class Desktop(Section):
    """The GPU desktop (Dell XPS 8950), reached over ssh."""

    profile: Literal["xps8950"]
    """Which machine this is."""
    address: IPv4Address = Field(examples=["192.168.1.10"])
    """Its address in the household's network."""
    labels: tuple[Name, ...] = Field(default=("tars", "llm"), min_length=1, examples=[["tars", "llm"]])
    """Names in front of `domain` that it answers to besides its own, in the name service and in its certificate. The
    first is the web page's."""
    interface: str = Field(pattern=INTERFACE, examples=["enp4s0"])
    """Name of its network interface (`ip -brief link` shows it)."""
    addressing: Literal["static", "reservation"] = "static"
    """How it comes to its address: set on the machine, or reserved in the router (`site` then says what to tell it)."""
    connect: Connect = Connect()
    """How Ansible reaches it."""


class Nas(Section):
    """The NAS (Synology DS1515+, DSM 7.1), reached over its web API."""

    profile: Literal["ds1515plus"]
    """Which machine this is."""
    address: IPv4Address = Field(examples=["192.168.1.20"])
    """Its address in the household's network."""
    labels: tuple[Name, ...] = Field(default=("nas",), examples=[["nas"]])
    """Names in front of `domain` that it answers to besides its own, in the name service and in its certificate."""
    connect: FirstContact | None = None
    """Where it answers before the first run, which then gives it `address` for good (experimental: no public source
    shows the call that does it carried out). Left out: it has `address` already, by hand or reserved in the router."""
    dsm: Dsm = Dsm()
    """How its web interface is reached."""
    clock: Clock | None = None
    """Its time zone and time servers. Left out: what DSM has stays."""
    open_ports: tuple[Port, ...] = Field(default=(), examples=[[445]])
    """Further TCP ports that the firewall opens to the sources under `firewall.use`, such as 445 for SMB."""


class Machine(Section):
    """Another machine of the household, named so that shares can be opened to it. Nothing is changed on it."""

    address: IPv4Address = Field(examples=["192.168.1.30"])
    """Its address in the household's network."""
