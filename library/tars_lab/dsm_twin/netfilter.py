# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall profile as an nftables table, and its effect on one connection. The section `global` comes first."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

TABLE = "inet dsm_firewall"
DELETE_TABLE = f"table {TABLE}\ndelete table {TABLE}\n"
"""Deletes the table, also if it does not exist."""

GLOBAL = "global"
VERDICTS = {"allow": "accept", "drop": "drop"}
PROTOCOLS = {
    "all": (),
    "tcp": ("tcp",),
    "udp": ("udp",),
    "icmp": ("icmp", "ipv6-icmp"),
    "igmp": ("igmp",),
    "gre": ("gre",),
    "esp": ("esp",),
}
SERVICES = {"ssh": ("22",), "cifs": ("137-139", "445")}
"""Ports of the service names that have been observed in rules."""


def sections(profile: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sections of a profile by adapter, without the other keys of the profile."""
    return {
        name: section
        for name, section in profile.items()
        if isinstance(section, dict) and {"policy", "rules"} <= section.keys()
    }


def ports(rule: Mapping[str, Any]) -> list[str]:
    """Return ports and ranges (`low-high`) of a rule; [] means all ports."""
    if rule["port_group"] == "all":
        return []
    names = [name.strip() for name in rule["ports"].split(",")]
    if rule["port_group"] == "service":
        return [port for name in names for port in SERVICES[name]]
    return [name.replace(":", "-") for name in names]


def render(profile: Mapping[str, Any]) -> str:
    """Return the table as input of `nft -f`, which replaces the previous table in one transaction."""
    by_adapter = sections(profile)
    adapters = sorted(by_adapter.keys() - {GLOBAL})
    lines = [
        "type filter hook input priority filter; policy accept;",
        "ct state established,related accept",
        'iif "lo" accept',
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
        *(_section(by_adapter[GLOBAL]) if GLOBAL in by_adapter else ()),
        *(f"iifname {_quoted(name)} jump {_chain(name)}" for name in adapters),
    ]
    chains = [_block("chain input", lines)]
    # A chain must be defined before another one jumps to it.
    chains[:0] = [_block(f"chain {_chain(name)}", list(_section(by_adapter[name]))) for name in adapters]
    return DELETE_TABLE + _block(f"table {TABLE}", ["\n".join(chains)])


def allows(profile: Mapping[str, Any], address: str, port: int, adapter: str) -> bool:
    """Return whether the profile allows a TCP connection from `address` to `port` over `adapter`."""
    by_adapter = sections(profile)
    for section in (by_adapter[name] for name in (GLOBAL, adapter) if name in by_adapter):
        for rule in section["rules"]:
            if rule["enable"] and rule["policy"] in VERDICTS and _matches(rule, address, port):
                return bool(rule["policy"] == "allow")
        if section["policy"] in VERDICTS:
            return bool(section["policy"] == "allow")
    return True


def _matches(rule: Mapping[str, Any], address: str, port: int) -> bool:
    if rule["protocol"] not in ("all", "tcp") or rule["source_ip_group"] == "geoip":
        return False
    ranges = [entry.partition("-") for entry in ports(rule)]
    if ranges and (
        rule["port_direction"] == "source"
        or not any(int(low) <= port <= int(high or low) for low, _dash, high in ranges)
    ):
        return False
    source = ipaddress.ip_address(address)
    text = rule["source_ip"]
    match rule["source_ip_group"]:
        case "all":
            return True
        case "netmask":
            return source in ipaddress.ip_network(text, strict=False)
        case "iprange":
            low, high = (ipaddress.ip_address(end) for end in text.split("-"))
            return low.version == source.version and int(low) <= int(source) <= int(high)
    return source in [ipaddress.ip_address(entry) for entry in text.split(",")]


def _section(section: Mapping[str, Any]) -> Iterator[str]:
    for rule in section["rules"]:
        # The lab has no database of the countries of addresses.
        if rule["enable"] and rule["policy"] in VERDICTS and rule["source_ip_group"] != "geoip":
            yield " ".join([*_source(rule), *_traffic(rule), VERDICTS[rule["policy"]]])
    if section["policy"] in VERDICTS:
        yield VERDICTS[section["policy"]]


def _source(rule: Mapping[str, Any]) -> list[str]:
    if rule["source_ip_group"] == "all":
        return []
    text = rule["source_ip"]
    family = "ip6" if ":" in text else "ip"
    return [family, "saddr", "{ " + ", ".join(text.split(",")) + " }"]


def _traffic(rule: Mapping[str, Any]) -> list[str]:
    protocols, wanted = PROTOCOLS[rule["protocol"]], ports(rule)
    if not wanted:
        return ["meta", "l4proto", "{ " + ", ".join(protocols) + " }"] if protocols else []
    side = "dport" if rule["port_direction"] == "destination" else "sport"
    carried = "{ " + ", ".join(protocols or ("tcp", "udp")) + " }"
    return ["meta", "l4proto", carried, "th", side, "{ " + ", ".join(wanted) + " }"]


def _chain(adapter: str) -> str:
    return "on_" + "".join(letter if letter.isalnum() else "_" for letter in adapter)


def _quoted(name: str) -> str:
    return json.dumps(name)


def _block(head: str, lines: list[str]) -> str:
    return "\n".join([f"{head} {{", *lines, "}\n"])
