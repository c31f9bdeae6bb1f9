# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes of a NAS's name, gateway, resolvers, clock, SSH and SFTP. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import PlanError, boolean, integer, text

# DSM has one object for each of these groups and accepts it only as a whole.
GROUPS = {
    "network": ("server_name", "gateway", "resolvers"),
    "time": ("time_zone", "ntp_servers"),
    "terminal": ("ssh", "ssh_port"),
    "sftp": ("sftp", "sftp_port"),
}
MOST_RESOLVERS = 2
MOST_NTP_SERVERS = 3
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class System:
    """The settings. `resolvers` is empty while they come from DHCP, `ntp_servers` while the clock is set by hand."""

    server_name: str
    gateway: str = ""
    resolvers: tuple[str, ...] = ()
    time_zone: str = ""
    ntp_servers: tuple[str, ...] = ()
    ssh: bool = False
    ssh_port: int = 22
    sftp: bool = False
    sftp_port: int = 22


@dataclass(frozen=True)
class Limits:
    """The values that this DSM accepts: names of time zones, and the network (address/mask) of the gateway."""

    zones: Sequence[str] = ()
    network: str = ""


@dataclass(frozen=True)
class Change:
    """One of GROUPS: the result, and the names that differ."""

    group: str
    system: System
    fields: tuple[str, ...]

    def __str__(self) -> str:
        values = ", ".join(f"{name} {_shown(getattr(self.system, name))!r}" for name in self.fields)
        return f"set {values}"


def from_api(
    network: Mapping[str, Any], clock: Mapping[str, Any], terminal: Mapping[str, Any], sftp: Mapping[str, Any]
) -> System:
    """Return the settings of answers of SYNO.Core.Network, Region.NTP, Terminal and FileServ.FTP.SFTP."""
    resolvers = [text(network.get(key)) for key in ("dns_primary", "dns_secondary")]
    return System(
        server_name=text(network.get("server_name")),
        gateway=text(network.get("gateway")),
        resolvers=tuple(address for address in resolvers if address) if boolean(network.get("dns_manual")) else (),
        time_zone=text(clock.get("timezone")),
        ntp_servers=_listed(clock.get("server")) if clock.get("enable_ntp") == "ntp" else (),
        ssh=boolean(terminal.get("enable_ssh")),
        ssh_port=integer(terminal.get("ssh_port")),
        sftp=boolean(sftp.get("enable")),
        sftp_port=integer(sftp.get("portnum")),
    )


def limits_from_api(network: Mapping[str, Any], zones: Mapping[str, Any]) -> Limits:
    """Return the limits of answers of SYNO.Core.Network and Region.NTP listzone."""
    info = network.get("gateway_info") or {}
    subnet = f"{info['ip']}/{info['mask']}" if info.get("ip") and info.get("mask") else ""
    return Limits([text(row.get("value")) for row in zones.get("zonedata") or []], subnet)


def to_api(change: Change, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole object that makes the change, over what DSM has now."""
    system = change.system
    if change.group == "network":
        body = {key: value for key, value in current.items() if key != "gateway_info"}
        body.update(server_name=system.server_name, gateway=system.gateway)
        if "resolvers" in change.fields:
            primary, secondary = [*system.resolvers, "", ""][:2]
            body.update(dns_manual=bool(system.resolvers), dns_primary=primary, dns_secondary=secondary)
        return body
    if change.group == "time":
        mode, servers = text(current.get("enable_ntp")), text(current.get("server"))
        if "ntp_servers" in change.fields:
            mode, servers = "ntp", ",".join(system.ntp_servers)
        return {"timezone": system.time_zone, "enable_ntp": mode, "server": servers}
    if change.group == "terminal":
        kept = {key: boolean(current.get(key)) for key in ("enable_telnet", "forbid_console")}
        return {**kept, "enable_ssh": system.ssh, "ssh_port": system.ssh_port}
    return {"enable": system.sftp, "portnum": system.sftp_port}


def to_dict(system: System) -> dict[str, Any]:
    """Return the settings as plain data, for diffs and return values."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in _values(system).items()}


def plan(current: System, desired: Mapping[str, Any], limits: Limits | None = None) -> list[Change]:
    """Return the changes that turn `current` into `desired`, whose keys are System's.

    None or a missing key leaves a setting alone.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    given: dict[str, Any] = {key: value for key, value in desired.items() if value is not None}
    given.update({key: tuple(value) for key, value in given.items() if isinstance(value, list)})
    wanted = dataclasses.replace(current, **given)
    fields = {
        group: tuple(name for name in names if getattr(current, name) != getattr(wanted, name))
        for group, names in GROUPS.items()
    }
    problems = _problems(wanted, {name for names in fields.values() for name in names}, limits or Limits())
    if problems:
        raise PlanError(problems)
    return [Change(group, wanted, names) for group, names in fields.items() if names]


def predict(current: System, changes: Sequence[Change]) -> System:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    for change in changes:
        current = dataclasses.replace(current, **{name: getattr(change.system, name) for name in change.fields})
    return current


def _problems(wanted: System, differing: set[str], limits: Limits) -> list[str]:
    """Return the problems of the values that would be written; values that DSM has already are accepted."""
    problems = []
    if "server_name" in differing and _NAME.fullmatch(wanted.server_name) is None:
        problems.append(
            f"invalid server_name {wanted.server_name!r}: expected at most 63 letters, digits and inner hyphens."
        )
    if "gateway" in differing:
        problems += _gateway_problems(wanted.gateway, limits.network)
    if "resolvers" in differing:
        problems += [
            f"invalid resolver {address!r}: expected an IPv4 address, not a name."
            for address in wanted.resolvers
            if not _is_address(address)
        ]
        if len(wanted.resolvers) > MOST_RESOLVERS:
            problems.append(f"found {len(wanted.resolvers)} resolvers, DSM accepts {MOST_RESOLVERS}. Remove some.")
    if "time_zone" in differing and limits.zones and wanted.time_zone not in limits.zones:
        near = difflib.get_close_matches(wanted.time_zone.rpartition("/")[2], limits.zones)
        hint = f" Near: {', '.join(near)}." if near else ""
        problems.append(
            f"invalid time zone {wanted.time_zone!r}: this DSM has {len(limits.zones)} names of its own, one for each "
            f"offset and summer time.{hint} Use one from Control Panel > Regional Options."
        )
    if "ntp_servers" in differing:
        problems += _ntp_problems(wanted.ntp_servers)
    problems += [
        f"invalid {name} {getattr(wanted, name)}: expected 1 to 65535."
        for name in ("ssh_port", "sftp_port")
        if name in differing and not 1 <= getattr(wanted, name) <= 65535
    ]
    return problems


def _gateway_problems(gateway: str, network: str) -> list[str]:
    if not _is_address(gateway):
        return [f"invalid gateway {gateway!r}: expected the router's IPv4 address."]
    if network and ipaddress.IPv4Address(gateway) not in ipaddress.IPv4Interface(network).network:
        return [f"gateway {gateway} is outside the NAS's network {network} and would cut it off. Use an address in it."]
    return []


def _ntp_problems(servers: Sequence[str]) -> list[str]:
    if not 1 <= len(servers) <= MOST_NTP_SERVERS:
        return [f"found {len(servers)} time servers, DSM accepts 1 to {MOST_NTP_SERVERS}. Set ntp_servers to so many."]
    return [
        f"invalid time server {server!r}: expected a name or an address."
        for server in servers
        if not server or set(server) & set(", ")
    ]


def _is_address(address: str) -> bool:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return True


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in text(value).split(",") if part.strip())


def _values(system: System) -> dict[str, Any]:
    return {field.name: getattr(system, field.name) for field in dataclasses.fields(system)}


def _shown(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, tuple) else value
