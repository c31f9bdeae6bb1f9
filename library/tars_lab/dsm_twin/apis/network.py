# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Network: the NAS's name, gateway and resolvers, read and written as one object."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from tars_lab.dsm_twin.apis import ethernet
from tars_lab.dsm_twin.interfaces import Ipv4, with_gateway
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

BAD_INPUT = 403
REJECTED = 4302
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
FLAGS = {
    "dns_manual": False,
    "use_dhcp_domain": True,
    "ipv4_first": False,
    "multi_gateway": False,
    "arp_ignore": True,
    "enable_ip_conflict_detect": True,
    "enable_windomain": False,
}
GATEWAY_INFO = ("ifname", "ip", "mask", "status", "type", "use_dhcp")
ADDRESSES = ("gateway", "v6gateway", "dns_primary", "dns_secondary")
SECOND = "enable_ip_conflict_detect"
"""A setting of version 2 of the API."""

MINIMAL = ("arp_ignore", "ipv4_first", "multi_gateway", SECOND)
"""Settings that every change must contain; therefore a change of the name alone is rejected."""


def current(nas: Nas) -> dict[str, Any]:
    """Return all settings: those of the state, and the machine's gateway, name and automatic resolvers."""
    machine = nas.effects.interfaces.network()
    settings: dict[str, Any] = {
        **FLAGS,
        "server_name": machine["hostname"],
        "v6gateway": "",
        **nas.state.data["network"],
        "gateway": machine["gateway"],
    }
    if not settings["dns_manual"]:
        automatic = [*machine["dns"], "", ""]
        settings |= {"dns_primary": automatic[0], "dns_secondary": automatic[1]}
    return settings


def get(call: Call) -> object:
    """Return all settings, and the port with the default gateway."""
    settings = current(call.nas)
    if call.version == 1:
        del settings[SECOND]
    rows = ethernet.rows(call.nas)
    port = next((row for row in rows if row["is_default_gateway"]), rows[0] if rows else {})
    return settings | {"gateway_info": {key: port.get(key, "") for key in GATEWAY_INFO}}


def set_network(call: Call) -> object:
    """Change the settings. Missing ones beyond the minimum keep their values; unknown fields are ignored."""
    params, nas = call.params, call.nas
    if any(name not in params for name in MINIMAL if call.version > 1 or name != SECOND):
        raise DsmError(BAD_INPUT)
    before = current(nas)
    wanted: dict[str, Any] = {name: params.flag(name, before[name]) for name in FLAGS}
    wanted["server_name"] = params.text("server_name", before["server_name"])
    if wanted["server_name"] != before["server_name"] and NAME.fullmatch(wanted["server_name"]) is None:
        raise invalid("server_name", "condition")
    for name in ADDRESSES:
        wanted[name] = params.text(name, before[name])
        if wanted[name] and not _address(wanted[name], 6 if name == "v6gateway" else 4):
            raise DsmError(REJECTED)
    gateway = _gateway(nas, wanted["gateway"]) if wanted["gateway"] != before["gateway"] else None
    with nas.state.change() as data:
        data["network"] = {name: value for name, value in wanted.items() if name != "gateway"}
        if wanted["server_name"] != before["server_name"]:
            nas.effects.set_hostname(wanted["server_name"])
        if gateway is not None:
            nas.effects.interfaces.change(*gateway)
        ethernet.follow_resolvers(nas, data["network"])
    return {"hostname_changed_and_join_domain": False}


def _gateway(nas: Nas, gateway: str) -> tuple[str, Ipv4]:
    """Return the port that will use this gateway, and its settings with it. Raises DsmError if there is none."""
    change = with_gateway(nas.effects.interfaces, gateway) if gateway else None
    if change is None:
        raise DsmError(ethernet.OTHER_SUBNET if gateway else REJECTED)
    return change


def _address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


APIS = [
    Api(
        "SYNO.Core.Network",
        1,
        2,
        {"get": Method(get, versions(1, 2)), "set": Method(set_network, versions(1, 2), write=True)},
    )
]
