# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec in the words of the role tars.home.nas."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

Wish = dict[str, Any]

NFS_PORTS = ("111", "892", "2049")
"""Ports of DSM's NFS service: rpcbind, mountd and NFS itself."""
MOST_RESOLVERS = 2
"""As many as DSM takes."""


def site_shares(site: Mapping[str, Any]) -> list[Wish]:
    """Every share of the spec and the one for backups, as tars.home.dsm_share wants it."""
    shares = [
        {"name": name, "volume": share["volume"], "description": share.get("description") or ""}
        for name, share in site["shares"].items()
    ]
    if site.get("backup"):
        backup = {"name": site["backup"]["share"], "volume": site["backup"]["volume"]}
        shares.append({**backup, "description": "Backups of T.A.R.S."})
    return shares


def site_exports(site: Mapping[str, Any], squash: str) -> list[Wish]:
    """Every share's whole list of rules: its clients by address, as tars.home.dsm_nfs wants it."""
    return [
        {"share": name, "rules": [{"client": who, "access": access, "squash": squash} for who, access in each.items()]}
        for name, each in clients(site).items()
    ]


def clients(site: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What each address may do with each share; the backups are open to the desktop alone."""
    machines = {**site["hosts"], **site.get("machines", {})}
    found = {
        name: {machines[client]["address"]: grant["access"] for client, grant in share.get("clients", {}).items()}
        for name, share in site["shares"].items()
    }
    if site.get("backup"):
        desktops = [host["address"] for host in site["hosts"].values() if host["profile"] == "xps8950"]
        found[site["backup"]["share"]] = dict.fromkeys(desktops, "rw")
    return found


def site_static_address(site: Mapping[str, Any], nas: str) -> Wish | None:
    """The NAS's address, as tars.home.dsm_address wants it, where the spec says what to recognise the NAS by."""
    host = site["hosts"][nas]
    first = host.get("connect")
    if not first:
        return None
    return {
        "serial": first["serial"],
        "found_at": first["address"],
        "address": host["address"],
        "prefix": ipaddress.ip_network(site["network"]["cidr"]).prefixlen,
        "gateway": site["network"]["gateway"],
    }


def site_resolvers(site: Mapping[str, Any]) -> list[str] | None:
    """The first name servers that DSM can take; None where the spec says nothing of them.

    Where the desktop serves the names it comes first. The router, if the spec names nobody else, is there for when
    the desktop is off, and alone once the desktop serves them no more.
    """
    usable = [server for server in site["network"].get("dns") or () if ipaddress.ip_address(server).version == 4]
    names = site.get("names")
    if names:
        desktops = [host["address"] for host in site["hosts"].values() if host["profile"] == "xps8950"]
        usable = [server for server in usable if server not in desktops] or [site["network"]["gateway"]]
        usable = desktops + usable if names["enabled"] else usable
    return usable[:MOST_RESOLVERS] or None


def site_accounts(site: Mapping[str, Any], password: str) -> list[Wish]:
    """The account for backups, as tars.home.dsm_account wants it."""
    if not site.get("backup"):
        return []
    return [{"name": site["backup"]["account"], "password": password, "description": "Backups of T.A.R.S."}]


def site_permissions(site: Mapping[str, Any]) -> list[Wish]:
    """The backups for their account alone, as tars.home.dsm_permission wants it."""
    if not site.get("backup"):
        return []
    entries = [{"user": site["backup"]["account"], "access": "rw"}]
    return [{"share": site["backup"]["share"], "permissions": entries, "exclusive": True}]


def site_snapshots(site: Mapping[str, Any]) -> list[Wish]:
    """When the backups are kept, and how many of them, as tars.home.dsm_snapshot wants it."""
    if not site.get("backup"):
        return []
    wish = site["backup"]["snapshots"]
    return [{"share": site["backup"]["share"], "schedule": {"hour": wish["hour"]}, "retention": wish["keep"]}]


def site_firewall(site: Mapping[str, Any], nas: str, ssh_port: int) -> list[Wish]:
    """Who gets through to the NAS named `nas`, as tars.home.dsm_firewall wants it: its one section drops all others.

    A source is a rule of its own, because DSM takes several only where all are addresses.
    """
    if not site.get("firewall"):
        return []
    host = site["hosts"][nas]
    managing = [str(host["dsm"]["port"]), str(ssh_port)]
    rules = [rule(f"DSM and SSH for {source}", managing, [source]) for source in site["firewall"]["manage"]]
    mounting = sorted({address for each in clients(site).values() for address in each})
    if mounting:
        rules.append({**rule("NFS for the clients of the shares", NFS_PORTS, mounting), "protocol": "all"})
    if host.get("open_ports"):
        opened = [str(port) for port in host["open_ports"]]
        rules += [rule(f"open_ports for {source}", opened, [source]) for source in site["firewall"]["use"]]
    return [{"adapter": "global", "policy": "drop", "rules": rules}]


def rule(name: str, ports: Any, sources: list[str]) -> Wish:
    return {"name": name, "protocol": "tcp", "ports": list(ports), "sources": sources}


def site_manages(site: Mapping[str, Any], address: str) -> bool:
    """Whether the firewalls let a machine of this address manage the NAS."""
    firewall = site.get("firewall")
    if not firewall or not firewall["enabled"]:
        return True
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(source) for source in firewall["manage"])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        filters = (
            site_shares,
            site_exports,
            site_static_address,
            site_resolvers,
            site_accounts,
            site_permissions,
            site_snapshots,
            site_firewall,
            site_manages,
        )
        return {each.__name__: each for each in filters}
