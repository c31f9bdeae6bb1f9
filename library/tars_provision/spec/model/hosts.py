# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about machines: the desktop, the NAS, and others that are only named."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tars_provision.spec.model.base import FILE, INTERFACE, SERIAL, USER, WORDS, Host, Ipv4Address, Name, Port, Section

File = Annotated[str, Field(pattern=FILE)]


class Connect(Section):
    """SSH connection from the controller to the desktop."""

    address: Host | None = Field(default=None, examples=["192.168.1.77"])
    """Address or name at which it answers before the first run. Default: its own address."""
    user: str = Field(default="root", pattern=USER, examples=["owner"])
    """Account to log in with. Any account but root must be able to use sudo without a password."""
    port: Port = 22
    """TCP port of its SSH server."""
    private_key: File | None = Field(default=None, examples=["~/.ssh/id_ed25519"])
    """File of the private key on the controller. Default: the keys that ssh tries by itself."""
    known_hosts: File | None = Field(default=None, examples=["~/.ssh/known_hosts"])
    """File with the machine's host key on the controller. Default: ssh's own known_hosts files."""


class Dsm(Section):
    """Connection to the NAS's web interface (DSM)."""

    port: Port = 5001
    """TCP port of DSM's HTTPS."""
    account: str = Field(default="tars-admin", max_length=64, pattern=WORDS, examples=["tars-admin"])
    """Administrator's account. Its password is `tars_secrets.dsm_password` in the vault."""


class FirstContact(Section):
    """Where the NAS answers before the first run, and the serial number that identifies it."""

    address: Ipv4Address = Field(examples=["192.168.1.77"])
    """Address at which it answers before the first run, usually a DHCP address."""
    serial: str = Field(pattern=SERIAL, examples=["15A0LKN000000"])
    """Its serial number, on its label or under Control Panel > Info Center."""


class Clock(Section):
    """The clock of the NAS."""

    zone: str = Field(pattern=WORDS, examples=["Amsterdam"])
    """Time zone by DSM's own name, as Control Panel shows it; Amsterdam is Central European Time."""
    servers: tuple[Host, ...] = Field(min_length=1, max_length=3, examples=[["pool.ntp.org"]])
    """NTP servers."""


class Desktop(Section):
    """The GPU desktop (Dell XPS 8950), reached over ssh."""

    profile: Literal["xps8950"]
    """Which machine this is."""
    address: Ipv4Address = Field(examples=["192.168.1.10"])
    """Its address in the home network."""
    labels: tuple[Name, ...] = Field(default=("tars", "llm"), min_length=1, examples=[["tars", "llm"]])
    """Further host names in `domain`, for the name service and for its certificate. The first is the web page's."""
    interface: str = Field(pattern=INTERFACE, examples=["enp4s0"])
    """Name of its network interface (`ip -brief link` shows it)."""
    addressing: Literal["static", "reservation"] = "static"
    """Whether its address is configured on the machine, or reserved in the router's DHCP server (`site` shows how)."""
    connect: Connect = Connect()
    """SSH connection to it."""


class Nas(Section):
    """The NAS (Synology DS1515+, DSM 7.1), reached over its web API."""

    profile: Literal["ds1515plus"]
    """Which machine this is."""
    address: Ipv4Address = Field(examples=["192.168.1.20"])
    """Its address in the home network."""
    labels: tuple[Name, ...] = Field(default=("nas",), examples=[["nas"]])
    """Further host names in `domain`, for the name service and for its certificate."""
    connect: FirstContact | None = None
    """Where it answers before the first run, which then sets `address` permanently (experimental: the API call is not
    documented publicly). Default: it has `address` already, set by hand or reserved in the router."""
    dsm: Dsm = Dsm()
    """Connection to its web interface."""
    clock: Clock | None = None
    """Its time zone and NTP servers. Default: DSM's settings stay as they are."""
    open_ports: tuple[Port, ...] = Field(default=(), examples=[[445]])
    """Further TCP ports that the firewall opens to the sources under `firewall.use`, such as 445 for SMB."""


class Machine(Section):
    """Another machine in the home network that shares and firewall rules can name. Nothing is changed on it."""

    address: Ipv4Address = Field(examples=["192.168.1.30"])
    """Its address in the home network."""
