# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall profile as an nftables table, and what it does to one caller. The section `global` comes first."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

TABLE = "inet dsm_firewall"
OFF = f"table {TABLE}\ndelete table {TABLE}\n"
"""Removes the table whether or not it is there."""

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
"""Ports of the service names that were observed in rules."""


def sections(profile: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The adapters of a profile with their rules; other keys lie beside them."""
    return {
        name: section
        for name, section in profile.items()
        if isinstance(section, dict) and {"policy", "rules"} <= section.keys()
    }


def ports(rule: Mapping[str, Any]) -> list[str]:
    """Ports and ranges (`low-high`) of a rule; empty for all."""
    if rule["port_group"] == "all":
        return []
    names = [name.strip() for name in rule["ports"].split(",")]
    if rule["port_group"] == "service":
        return [port for name in names for port in SERVICES[name]]
    return [name.replace(":", "-") for name in names]


def render(profile: Mapping[str, Any]) -> str:
    """The whole table, ready for `nft -f`, which replaces the one before at once."""
    found = sections(profile)
    adapters = sorted(found.keys() - {GLOBAL})
    lines = [
        "type filter hook input priority filter; policy accept;",
        "ct state established,related accept",
        'iif "lo" accept',
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
        *(_section(found[GLOBAL]) if GLOBAL in found else ()),
        *(f"iifname {_quoted(name)} jump {_chain(name)}" for name in adapters),
    ]
    chains = [_block("chain input", lines)]
    # A chain must be there before another jumps to it.
    chains[:0] = [_block(f"chain {_chain(name)}", list(_section(found[name]))) for name in adapters]
    return OFF + _block(f"table {TABLE}", ["\n".join(chains)])


def admits(profile: Mapping[str, Any], address: str, port: int, adapter: str) -> bool:
    """Whether a TCP connection from `address` to `port` over `adapter` gets through."""
    found = sections(profile)
    for name in (GLOBAL, adapter):
        if name not in found:
            continue
        for rule in found[name]["rules"]:
            if rule["enable"] and rule["policy"] in VERDICTS and _matches(rule, address, port):
                return bool(rule["policy"] == "allow")
        if found[name]["policy"] in VERDICTS:
            return bool(found[name]["policy"] == "allow")
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
    here = ipaddress.ip_address(address)
    text = rule["source_ip"]
    match rule["source_ip_group"]:
        case "all":
            return True
        case "netmask":
            return here in ipaddress.ip_network(text, strict=False)
        case "iprange":
            low, high = (ipaddress.ip_address(end) for end in text.split("-"))
            return low.version == here.version and int(low) <= int(here) <= int(high)
    return here in [ipaddress.ip_address(entry) for entry in text.split(",")]


def _section(section: Mapping[str, Any]) -> Iterator[str]:
    for rule in section["rules"]:
        # Where an address lies on the globe is not known here.
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
