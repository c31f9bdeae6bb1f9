# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Network.Ethernet and .Interface: the NAS's ports and their addresses.

Sources disagree about the parameters of `set`. This NAS accepts the only form that was observed in network traffic,
`configs=[…]`, and rejects all others with 4302, as DSM 7.3 rejected every form that was tried on it. VLANs, another MTU
and another default gateway were never observed and are rejected as well.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from tars_lab.dsm_twin.interfaces import Ipv4
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, versions

REJECTED = 4302
NO_INTERFACE = 4311
IN_USE = 4312
LINK_LOCAL = 4315
OTHER_SUBNET = 4317
MTU = 1500
ALWAYS = {"ifname": str, "use_dhcp": bool, "is_default_gateway": bool, "mtu": int, "enable_vlan": bool}
STATIC = {"ip": str, "mask": str, "gateway": str, "dns": str}


def rows(nas: Nas) -> list[dict[str, Any]]:
    """Return every port as `list` reports it."""
    network = nas.effects.interfaces.network()
    return [_row(nas, port, network["gateway"]) for port in network["interfaces"] if port["type"] == "lan"]


def _row(nas: Nas, port: dict[str, Any], default: str) -> dict[str, Any]:
    settings = nas.effects.interfaces.settings(port["id"])
    current = port["ip"][0] if port["ip"] else {"address": "", "netmask": ""}
    inside = bool(default and port["ip"]) and ipaddress.IPv4Address(default) in (
        ipaddress.IPv4Interface(f"{current['address']}/{current['netmask']}").network
    )
    return {
        "block": 0,
        "dns": settings.dns,
        "duplex": True,
        "enable_vlan": False,
        "vlan_id": 0,
        "gateway": default if inside else settings.gateway,
        "ifname": port["id"],
        "ip": current["address"],
        "mask": current["netmask"],
        "ipv6": [f"{entry['address']}/{entry['prefix_length']}" for entry in port["ipv6"]],
        "is_default_gateway": inside,
        "max_supported_speed": 1000,
        "mtu": MTU,
        "mtu_config": MTU,
        "speed": 1000 if port["ip"] else -1,
        "status": "connected" if port["ip"] else "disconnected",
        "type": port["type"],
        "use_dhcp": settings.use_dhcp,
    }


def list_ports(call: Call) -> object:
    """Return all ports."""
    return rows(call.nas)


def get(call: Call) -> object:
    """Return one port."""
    name = call.params.text("ifname", missing=REJECTED)
    return _named(call.nas, name)


def list_interfaces(call: Call) -> object:
    """Return some fields of all ports."""
    kept = ("ifname", "ip", "mask", "speed", "status", "type", "use_dhcp")
    return [{key: row[key] for key in kept} for row in rows(call.nas)]


def set_ports(call: Call) -> object:
    """Apply all of `configs`, or nothing. A new address ends every session and the connections to the old address."""
    nas = call.nas
    try:
        configs = call.params.value("configs", list)
    except DsmError as error:
        raise DsmError(REJECTED) from error
    if not configs:
        raise DsmError(REJECTED)
    checked = [(config, _checked(nas, config)) for config in configs]
    wanted = {config["ifname"]: settings for config, settings in checked}
    for name, settings in wanted.items():
        before = nas.effects.interfaces.settings(name)
        if settings != before:
            nas.effects.interfaces.change(name, settings)
        if settings.ip != before.ip:
            nas.sessions.close_all()
    follow_resolvers(nas, nas.state.data["network"])
    return None


def follow_resolvers(nas: Nas, general: dict[str, Any]) -> None:
    """Set the machine's name servers: those set by hand, else those that come with the addresses, if there are any."""
    if general.get("dns_manual"):
        addresses = [general["dns_primary"], general["dns_secondary"]]
    else:
        addresses = nas.effects.interfaces.automatic_resolvers()
    addresses = [address for address in addresses if address]
    if addresses and addresses != nas.effects.interfaces.network()["dns"]:
        nas.effects.interfaces.set_resolvers(addresses)


def _named(nas: Nas, name: object) -> dict[str, Any]:
    for row in rows(nas):
        if row["ifname"] == name:
            return row
    raise DsmError(NO_INTERFACE)


def _checked(nas: Nas, config: object) -> Ipv4:
    """Return the settings in one element of `configs`. Raises DsmError if they are invalid."""
    if not isinstance(config, dict) or not isinstance(config.get("use_dhcp"), bool):
        raise DsmError(REJECTED)
    kinds = ALWAYS if config["use_dhcp"] else ALWAYS | STATIC
    if config.keys() != kinds.keys() or any(type(config[key]) is not kind for key, kind in kinds.items()):
        raise DsmError(REJECTED)
    row = _named(nas, config["ifname"])
    if config["enable_vlan"] or any(config[key] != row[key] for key in ("mtu", "is_default_gateway")):
        raise DsmError(REJECTED)
    if config["use_dhcp"]:
        return Ipv4(True)
    settings = Ipv4(False, config["ip"], config["mask"], config["gateway"], config["dns"])
    _check_addresses(settings)
    # An address of this NAS needs no ping: the NAS itself would answer.
    own = [entry["address"] for port in nas.effects.interfaces.network()["interfaces"] for entry in port["ip"]]
    if settings.ip not in own and nas.effects.interfaces.answers(settings.ip):
        raise DsmError(IN_USE)
    if settings.ip in own and settings.ip != row["ip"]:
        raise DsmError(IN_USE)
    return settings


def _check_addresses(settings: Ipv4) -> None:
    try:
        address, network = ipaddress.IPv4Address(settings.ip), settings.network
        gateway = ipaddress.IPv4Address(settings.gateway) if settings.gateway else None
        if settings.dns:
            ipaddress.IPv4Address(settings.dns)
    except ValueError as error:
        raise DsmError(REJECTED) from error
    if address.is_link_local:
        raise DsmError(LINK_LOCAL)
    # Python also accepts prefix lengths and wildcards as masks.
    if str(network.netmask) != settings.mask or network.prefixlen > 30:
        raise DsmError(REJECTED)
    if address in (network.network_address, network.broadcast_address):
        raise DsmError(REJECTED)
    if gateway is not None and (gateway not in network or gateway == address):
        raise DsmError(OTHER_SUBNET)


APIS = [
    Api(
        "SYNO.Core.Network.Ethernet",
        1,
        2,
        {
            "list": Method(list_ports, versions(1, 2)),
            "get": Method(get, versions(1)),
            "set": Method(set_ports, versions(1), write=True),
        },
    ),
    Api("SYNO.Core.Network.Interface", 1, 1, {"list": Method(list_interfaces, versions(1))}),
]
