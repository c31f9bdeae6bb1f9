# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the address of a NAS, and choose where to work from what answers where. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, integer, text

SILENT, REFUSED, OTHER, NAS = "silent", "refused", "other", "nas"


@dataclass(frozen=True)
class Port:
    """A network interface of DSM, as SYNO.Core.Network.Ethernet list returns it; `ip` is empty without a cable."""

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
    """The desired address.

    `interface` empty: the one that carries the connection. `gateway` None: unchanged, if it fits the network.
    """

    address: str
    prefix: int
    gateway: str | None = None
    interface: str = ""


@dataclass(frozen=True)
class Place:
    """The connection to the NAS.

    `carrier`: the interface that it uses, empty if none of DSM's has its address. `host`: the address that later
    connections use. `may_move`: the owner allows a change of the carrier.
    """

    carrier: str
    host: str
    may_move: bool = False


@dataclass(frozen=True)
class Change:
    """A port before and after the change."""

    before: Port
    port: Port

    def __str__(self) -> str:
        prefix = ipaddress.IPv4Network((0, self.port.mask)).prefixlen
        return f"set {self.port.name} to {self.port.ip}/{prefix}, gateway {self.port.gateway or 'none'}"


@dataclass(frozen=True)
class Sighting:
    """What answered at an address.

    `kind`: nothing (`silent`), a machine that rejects such connections (`refused`), something other than the known NAS
    (`other`, with the reason in `detail`), or a NAS with the known certificate and a serial number (`nas`).
    """

    address: str
    kind: str
    serial: str = ""
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == NAS:
            return f"{self.address}: the NAS with serial number {self.serial} answers"
        answers = {SILENT: "nothing answers", REFUSED: "a machine answers, but not as a NAS"}
        return f"{self.address}: {answers.get(self.kind, 'something else answers')}" + (
            f" ({self.detail})" if self.detail else ""
        )


def from_api(answer: Any) -> dict[str, Port]:
    """Return ports by name, from a bare array or from one wrapped in an object, as some builds of DSM answer."""
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
    """Return the element of `configs`, in the form that the page of DSM 7.2.1 sends."""
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
    """Return the ports as plain data, for diffs and return values."""
    kept = ("use_dhcp", "ip", "mask", "gateway")
    return {name: {key: getattr(port, key) for key in kept} for name, port in sorted(ports.items())}


def carrier(ports: Ports, address: str) -> str:
    """Return the name of the port with the address, empty if none has it."""
    return next((name for name, port in ports.items() if port.ip == address), "")


def choose(wanted: Sighting, before: Sighting | None, serial: str) -> Sighting:
    """Return where to work: at the desired address if the NAS answers there, else where it answered before.

    Raises:
        PlanError: the NAS answers at neither, or another machine has the desired address.
    """
    if wanted.kind == NAS and wanted.serial == serial:
        return wanted
    if wanted.kind != SILENT:
        raise PlanError(
            [
                f"{wanted}: the desired address is taken; expected the NAS with serial number {serial}, or "
                "nothing. Use "
                "a free address, or take this one from the other machine. A NAS that is just starting answers as "
                "itself in a few minutes."
            ]
        )
    if before is None:
        raise PlanError(
            [f"{wanted}, and found_at is not set. Switch the NAS on, or set found_at to its present address."]
        )
    if before.kind == NAS and before.serial == serial:
        return before
    raise PlanError(
        [
            f"{before}; {wanted}. Expected the NAS with serial number {serial} at one of them. Find its address in the "
            "router's list or with find.synology.com, its serial number in Control Panel > Info Center, then set "
            "found_at or serial."
        ]
    )


def plan(ports: Ports, desired: Desired, place: Place) -> list[Change]:
    """Return the change to the desired address, or none. Raises PlanError naming everything that cannot be done."""
    name = desired.interface or place.carrier
    if name not in ports:
        problem = (
            f"the NAS has no interface {name!r}" if name else "it is not known which interface carries the connection"
        )
        raise PlanError([f"{problem}. Set interface to one of {', '.join(sorted(ports))}."])
    before = ports[name]
    problems, mask = _address_problems(desired)
    if problems:
        raise PlanError(problems)
    network = ipaddress.IPv4Interface(f"{desired.address}/{mask}").network
    gateway = before.gateway if desired.gateway is None else desired.gateway
    wanted = dataclasses.replace(before, use_dhcp=False, ip=desired.address, mask=mask, gateway=gateway)
    if wanted == before:
        return []
    problems = _problems(ports, wanted, network, place)
    if problems:
        raise PlanError(problems)
    return [Change(before, wanted)]


def predict(ports: Ports, changes: Sequence[Change]) -> dict[str, Port]:
    """Return the ports after the change, for check mode and for the tests of `plan`."""
    return {**ports, **{change.port.name: change.port for change in changes}}


def _address_problems(desired: Desired) -> tuple[list[str], str]:
    """Return the problems of address and prefix, and the mask of the prefix."""
    if not 8 <= desired.prefix <= 30:
        return [f"invalid prefix {desired.prefix}: expected 8 to 30. Use your network's prefix length, mostly 24."], ""
    try:
        interface = ipaddress.IPv4Interface(f"{desired.address}/{desired.prefix}")
    except ValueError:
        return [f"invalid address {desired.address!r}: expected an IPv4 address without a prefix length."], ""
    ends = (interface.network.network_address, interface.network.broadcast_address)
    if interface.ip in ends or interface.ip.is_link_local or interface.ip.is_multicast:
        return [f"invalid address {desired.address}: a NAS cannot have it in {interface.network}. Use another."], ""
    return [], str(interface.netmask)


def _problems(ports: Ports, wanted: Port, network: ipaddress.IPv4Network, place: Place) -> list[str]:
    problems = []
    if wanted.vlan:
        problems.append(f"{wanted.name} carries a VLAN, which this module cannot keep. Set its address by hand.")
    twin = carrier({name: port for name, port in ports.items() if name != wanted.name}, wanted.ip)
    if twin:
        problems.append(f"address {wanted.ip} belongs to {twin} of the same NAS. Set interface to {twin}.")
    problems += _gateway_problems(wanted, network)
    # If DSM does not list the connection's address, any port may carry the connection.
    if wanted.name == (place.carrier or wanted.name):
        if not place.may_move:
            problems.append(
                f"{wanted.name} carries the connection, and a mistake cuts the NAS off. Set move_connection: true to "
                "change it nevertheless."
            )
        if place.host != wanted.ip:
            problems.append(
                f"host is {place.host or 'a name without an address'}, expected the desired address {wanted.ip}. Set "
                "host to it, and found_at to the present address."
            )
    return problems


def _gateway_problems(wanted: Port, network: ipaddress.IPv4Network) -> list[str]:
    if not wanted.gateway:
        return []
    try:
        gateway = ipaddress.IPv4Address(wanted.gateway)
    except ValueError:
        return [f"invalid gateway {wanted.gateway!r}: expected the router's IPv4 address, or '' for none."]
    if gateway not in network or wanted.gateway == wanted.ip:
        return [
            f"invalid gateway {gateway}: expected another machine in {network}. Set gateway to the router's address."
        ]
    return []
