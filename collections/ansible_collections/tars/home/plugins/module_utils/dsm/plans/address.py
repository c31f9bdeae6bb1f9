# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address a NAS is to have, where to look for it, and what was found there. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..values import PlanError, boolean, integer, text

SILENT, REFUSED, OTHER, NAS = "silent", "refused", "other", "nas"


@dataclass(frozen=True)
class Port:
    """One of DSM's network interfaces, as SYNO.Core.Network.Ethernet `list` tells it; `ip` is empty without a cable."""

    name: str
    use_dhcp: bool
    ip: str
    mask: str
    gateway: str = ""
    dns: str = ""
    default: bool = False
    mtu: int = 1500
    vlan: bool = False


Ports = Mapping[str, Port]


@dataclass(frozen=True)
class Desired:
    """`interface` empty: the one that carries the connection. `gateway` None: as it is, where it suits the network."""

    address: str
    prefix: int
    gateway: Optional[str] = None
    interface: str = ""


@dataclass(frozen=True)
class Place:
    """What is known of the connection.

    `carrier`: the interface it goes over, empty where none of DSM's has the address. `host`: the address that later
    connections use. `may_move`: the owner allows the carrier to be changed.
    """

    carrier: str
    host: str
    may_move: bool = False


@dataclass(frozen=True)
class Change:
    """A port as it is to be."""

    before: Port
    port: Port

    def __str__(self) -> str:
        prefix = ipaddress.IPv4Network((0, self.port.mask)).prefixlen
        return f"set {self.port.name} to {self.port.ip}/{prefix}, gateway {self.port.gateway or 'none'}"


@dataclass(frozen=True)
class Sighting:
    """What a look at an address found.

    `kind`: nothing (`silent`), a machine that takes no such connections (`refused`), something that is not the NAS we
    know (`other`, why in `detail`), or a NAS with the known certificate and a serial number (`nas`).
    """

    address: str
    kind: str
    serial: str = ""
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == NAS:
            return f"{self.address}: the NAS with serial number {self.serial} answers"
        found = {SILENT: "nothing answers", REFUSED: "a machine answers, but not as a NAS"}
        return f"{self.address}: {found.get(self.kind, 'something else answers')}" + (
            f" ({self.detail})" if self.detail else ""
        )


def from_api(answer: Any) -> dict[str, Port]:
    """Ports by name, of a bare array or of one wrapped in an object, as some builds of DSM answer."""
    rows = answer
    if isinstance(answer, Mapping):
        rows = answer.get("interfaces") or answer.get("ethernets") or []
    ports = (
        Port(
            name=text(row.get("ifname")),
            use_dhcp=boolean(row.get("use_dhcp")),
            ip=text(row.get("ip")),
            mask=text(row.get("mask")),
            gateway=text(row.get("gateway")),
            dns=text(row.get("dns")),
            default=boolean(row.get("is_default_gateway")),
            mtu=integer(row.get("mtu")) or 1500,
            vlan=boolean(row.get("enable_vlan")),
        )
        for row in rows
    )
    return {port.name: port for port in ports}


def to_api(change: Change) -> dict[str, Any]:
    """The element of `configs`, in the form that DSM 7.2.1's own page was seen to send."""
    port = change.port
    return {
        "ifname": port.name,
        "use_dhcp": port.use_dhcp,
        "ip": port.ip,
        "mask": port.mask,
        "gateway": port.gateway,
        "dns": port.dns,
        "is_default_gateway": port.default,
        "mtu": port.mtu,
        "enable_vlan": False,
    }


def to_dict(ports: Ports) -> dict[str, Any]:
    """The ports as plain data, for diffs and return values."""
    kept = ("use_dhcp", "ip", "mask", "gateway")
    return {name: {key: getattr(port, key) for key in kept} for name, port in sorted(ports.items())}


def carrier(ports: Ports, address: str) -> str:
    """The port that has the address, or nothing."""
    return next((name for name, port in ports.items() if port.ip == address), "")


def choose(wanted: Sighting, before: Optional[Sighting], serial: str) -> Sighting:
    """Where to work: at the wanted address if the NAS is there already, else where it was found.

    Raises PlanError where the NAS is nowhere, or the wanted address belongs to another machine.
    """
    if wanted.kind == NAS and wanted.serial == serial:
        return wanted
    if wanted.kind != SILENT:
        raise PlanError(
            [
                f"{wanted}: the wanted address is taken, wanted the NAS with serial number {serial} or nothing. Give "
                "the NAS a free address, or take this one from the other machine; a NAS that is just starting answers "
                "as itself in a few minutes."
            ]
        )
    if before is None:
        raise PlanError([f"{wanted}, and found_at does not say where else to look. Switch the NAS on or set found_at."])
    if before.kind == NAS and before.serial == serial:
        return before
    raise PlanError(
        [
            f"{before}; {wanted}. Wanted the NAS with serial number {serial} at one of them. Look its address up in "
            "the router or with find.synology.com, its serial number in Control Panel > Info Center, then correct "
            "found_at or serial."
        ]
    )


def plan(ports: Ports, wish: Desired, place: Place) -> list[Change]:
    """The change that makes the wish true, or none. Raises PlanError naming everything that cannot be done."""
    name = wish.interface or place.carrier
    if name not in ports:
        problem = (
            f"the NAS has no interface {name!r}" if name else "it is not known which interface carries the connection"
        )
        raise PlanError([f"{problem}. Set interface to one of {', '.join(sorted(ports))}."])
    before = ports[name]
    problems, mask = _address_problems(wish)
    if problems:
        raise PlanError(problems)
    network = ipaddress.IPv4Interface(f"{wish.address}/{mask}").network
    gateway = before.gateway if wish.gateway is None else wish.gateway
    wanted = dataclasses.replace(before, use_dhcp=False, ip=wish.address, mask=mask, gateway=gateway)
    if wanted == before:
        return []
    problems = _problems(ports, wanted, network, place)
    if problems:
        raise PlanError(problems)
    return [Change(before, wanted)]


def predict(ports: Ports, changes: Sequence[Change]) -> dict[str, Port]:
    """The model of what DSM does with the change; for check mode and for the tests of `plan`."""
    return {**ports, **{change.port.name: change.port for change in changes}}


def _address_problems(wish: Desired) -> tuple[list[str], str]:
    """What is wrong with address and prefix, and the mask that the prefix stands for."""
    if not 8 <= wish.prefix <= 30:
        return [f"prefix {wish.prefix} makes no network for a NAS. Use the length of your network's, mostly 24."], ""
    try:
        interface = ipaddress.IPv4Interface(f"{wish.address}/{wish.prefix}")
    except ValueError:
        return [f"address {wish.address!r} is no IPv4 address. Give the address without a length."], ""
    ends = (interface.network.network_address, interface.network.broadcast_address)
    if interface.ip in ends or interface.ip.is_link_local or interface.ip.is_multicast:
        return [f"address {wish.address} is none a NAS can have in {interface.network}. Choose another."], ""
    return [], str(interface.netmask)


def _problems(ports: Ports, wanted: Port, network: ipaddress.IPv4Network, place: Place) -> list[str]:
    problems = []
    if wanted.vlan:
        problems.append(f"{wanted.name} carries a VLAN, and how to keep it is not known. Set its address by hand.")
    twin = carrier({name: port for name, port in ports.items() if name != wanted.name}, wanted.ip)
    if twin:
        problems.append(f"address {wanted.ip} belongs to {twin} of the same NAS. Set interface to {twin}.")
    problems += _gateway_problems(wanted, network)
    # Where DSM does not say which port has our address, each of them may be the one.
    if wanted.name == (place.carrier or wanted.name):
        if not place.may_move:
            problems.append(
                f"{wanted.name} carries the connection, and a mistake cuts the NAS off. Set move_connection: true to "
                "change it all the same."
            )
        if place.host != wanted.ip:
            problems.append(
                f"host is {place.host or 'a name without an address'}, and the NAS is to answer at {wanted.ip}. Set "
                "host to the wanted address, and found_at to the present one."
            )
    return problems


def _gateway_problems(wanted: Port, network: ipaddress.IPv4Network) -> list[str]:
    if not wanted.gateway:
        return []
    try:
        gateway = ipaddress.IPv4Address(wanted.gateway)
    except ValueError:
        return [f"gateway {wanted.gateway!r} is no IPv4 address. Give the router's address, or '' for none."]
    if gateway not in network or wanted.gateway == wanted.ip:
        return [f"gateway {gateway} is no other machine in {network}. Set gateway to the router's address there."]
    return []
