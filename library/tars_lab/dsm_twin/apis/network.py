# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Network: the NAS's name, gateway and resolvers, read and written as one object."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from tars_lab.dsm_twin import host
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
ADDRESSES = ("gateway", "v6gateway", "dns_primary", "dns_secondary")
SECOND = "enable_ip_conflict_detect"
"""A setting of version 2 of the API."""

MINIMAL = ("arp_ignore", "ipv4_first", "multi_gateway", SECOND)
"""Settings without which a change is not understood; that is why a change of the name alone is refused."""


def current(nas: Nas) -> dict[str, Any]:
    """All settings: what the machine has, with what was set over it. Automatic resolvers are the machine's own."""
    machine = host.network()
    found: dict[str, Any] = {
        **FLAGS,
        "server_name": machine["hostname"],
        "gateway": machine["gateway"],
        "v6gateway": "",
        **nas.state.data["network"],
    }
    if not found["dns_manual"]:
        automatic = [*machine["dns"], "", ""]
        found |= {"dns_primary": automatic[0], "dns_secondary": automatic[1]}
    return found


def get(call: Call) -> object:
    settings = current(call.nas)
    if call.version == 1:
        del settings[SECOND]
    rows = [(row["id"], entry) for row in host.network()["interfaces"] for entry in row["ip"]]
    name, entry = rows[0] if rows else ("eth0", {"address": "", "netmask": ""})
    return settings | {
        "gateway_info": {
            "ifname": name,
            "ip": entry["address"],
            "mask": entry["netmask"],
            "status": "connected",
            "type": "lan",
            "use_dhcp": False,
        }
    }


def set_network(call: Call) -> object:
    """Take over the whole object. What it lacks beyond the minimum stays; `gateway_info` and unknown fields too."""
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
    with nas.state.change() as data:
        data["network"] = wanted
        if wanted["server_name"] != before["server_name"]:
            nas.effects.set_hostname(wanted["server_name"])
    return {"hostname_changed_and_join_domain": False}


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
