# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the NAS's roles, from the spec."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Literal

from tars_provision.profiles import authority, roles
from tars_provision.spec.model import Backup, Nas, Share, Site

SQUASH = "all_to_admin"
"""Account of the NAS that a client's users are mapped to; roles/ds1515plus/README.md gives the reason."""

SSH_PORT = 22
"""Port of the SSH service, which the firewall opens to those who manage the NAS. Whether it runs is not managed."""

NFS_PORTS = ("111", "892", "2049")
"""Ports of DSM's NFS service: rpcbind, mountd and NFS itself."""

MAX_RESOLVERS = 2
"""Number of name servers that DSM accepts."""

BACKUP_DESCRIPTION = "Backups of T.A.R.S."

Access = Literal["ro", "rw"]


def variables(site: Site, name: str, nas: Nas) -> Mapping[str, object]:
    """Return the variables of the roles authority, nas and ds1515plus for the NAS named `name`."""
    return {
        **authority.variables(site, [authority.certificate(site, name)]),
        **nas_variables(site, name, nas),
        **profile_variables(site),
    }


def nas_variables(site: Site, name: str, nas: Nas) -> roles.Nas:
    """Return the variables of the role nas."""
    clock, backup = nas.clock, site.backup
    return {
        "nas_host": str(nas.address),
        "nas_port": nas.dsm.port,
        "nas_account": nas.dsm.account,
        "nas_static_address": static_address(site, nas),
        "nas_server_name": name,
        "nas_gateway": str(site.network.gateway),
        "nas_resolvers": resolvers(site),
        "nas_time_zone": clock.zone if clock else "",
        "nas_ntp_servers": list(clock.servers) if clock else [],
        "nas_shares": shares(site),
        "nas_exports": exports(site),
        "nas_permissions": [permissions(backup)] if backup else [],
        "nas_snapshots": [*visible_snapshots(site), *([snapshots(backup)] if backup else [])],
        "nas_firewall_enabled": site.firewall.enabled if site.firewall else True,
        "nas_firewall_sections": firewall_sections(site, nas),
    }


def profile_variables(site: Site) -> roles.NasProfile:
    """Return the variables of the profile role ds1515plus."""
    desktop, backup = desktop_address(site), site.backup
    return {
        "ds1515plus_accounts": [{"name": backup.account, "description": BACKUP_DESCRIPTION}] if backup else [],
        "ds1515plus_desktop": site.desktop,
        "ds1515plus_desktop_mounts": any(desktop in clients for clients in exported(site).values()),
        "ds1515plus_desktop_manages": manages(site, desktop),
    }


def static_address(site: Site, nas: Nas) -> roles.StaticAddress | None:
    """Return the address to set on the NAS; None where the spec names no serial number to recognise it by."""
    if nas.connect is None:
        return None
    return {
        "serial": nas.connect.serial,
        "found_at": str(nas.connect.address),
        "address": str(nas.address),
        "prefix": site.network.cidr.prefixlen,
        "gateway": str(site.network.gateway),
    }


def resolvers(site: Site) -> list[str] | None:
    """Return the name servers of the NAS, as many as DSM accepts; None to leave those that it has.

    If the desktop serves the zone it comes first, and the router follows unless the spec names other servers, so that
    names still resolve while the desktop is off. Once the desktop no longer serves the zone, the others remain.
    """
    usable = [str(server) for server in site.network.dns or () if server.version == 4]
    if site.names:
        desktop = desktop_address(site)
        usable = [server for server in usable if server != desktop] or [str(site.network.gateway)]
        usable = [desktop, *usable] if site.names.enabled else usable
    return usable[:MAX_RESOLVERS] or None


def shares(site: Site) -> list[roles.NasShare]:
    """Return every share of the spec, and the one for backups."""
    listed: list[roles.NasShare] = [
        {"name": name, "volume": share.volume, "description": share.description} for name, share in site.shares.items()
    ]
    if site.backup:
        share: roles.NasShare = {
            "name": site.backup.share,
            "volume": site.backup.volume,
            "description": BACKUP_DESCRIPTION,
        }
        if site.backup.quota_gib:
            share["quota_mib"] = site.backup.quota_gib * 1024
        listed.append(share)
    return listed


def exported(site: Site) -> dict[str, dict[str, Access]]:
    """Return the access that each address has to each exported share; backups are exported to the desktop alone."""
    clients = {name: share_clients(site, share) for name, share in site.shares.items()}
    if site.backup:
        clients[site.backup.share] = {desktop_address(site): "rw"}
    return clients


def share_clients(site: Site, share: Share) -> dict[str, Access]:
    """Return the access of a share's clients by address."""
    return {str(site.address_of(client)): grant.access for client, grant in share.clients.items()}


def exports(site: Site) -> list[roles.Export]:
    """Return every share with the whole list of its NFS rules."""
    return [
        {
            "share": share,
            "rules": [{"client": client, "access": access, "squash": SQUASH} for client, access in clients.items()],
        }
        for share, clients in exported(site).items()
    ]


def permissions(backup: Backup) -> roles.SharePermissions:
    """Return the permissions of the backup share: its account's alone."""
    return {
        "share": backup.share,
        "permissions": [{"user": backup.account, "access": "rw"}],
        "exclusive": True,
    }


def visible_snapshots(site: Site) -> list[roles.ShareSnapshots]:
    """Return the shares whose snapshots clients see, or see no longer; none where the spec has no such section."""
    if site.history is None:
        return []
    return [{"share": share, "visible": site.history.enabled} for share in site.history_shares]


def snapshots(backup: Backup) -> roles.ShareSnapshots:
    """Return the snapshot schedule of the backup share, and how many snapshots stay."""
    hour, interval = backup.snapshots.hour, backup.snapshots.every_hours
    return {
        "share": backup.share,
        "schedule": {"hour": hour % interval, "every_hours": interval} if interval else {"hour": hour},
        "retention": backup.snapshots.keep.model_dump(),
    }


def firewall_sections(site: Site, nas: Nas) -> list[roles.FirewallSection]:
    """Return the one section for all adapters, which drops what no rule accepts; none where the spec has no firewall.

    Each source has a rule of its own, because DSM accepts several sources in one rule only if all are addresses.
    """
    if site.firewall is None:
        return []
    ports = [str(nas.dsm.port), str(SSH_PORT)]
    rules = [rule(f"DSM and SSH for {source}", ports, [source]) for source in site.addresses(site.firewall.manage)]
    if closed_to_desktop(site):
        # The first match decides.
        rules.insert(0, {**rule("no DSM and SSH for the desktop", ports, [desktop_address(site)]), "action": "drop"})
    mounting = sorted({client for clients in exported(site).values() for client in clients})
    if mounting:
        rules.append({**rule("NFS for the clients of the shares", NFS_PORTS, mounting), "protocol": "all"})
    if nas.open_ports:
        opened = [str(port) for port in nas.open_ports]
        rules += [rule(f"open_ports for {source}", opened, [source]) for source in site.addresses(site.firewall.use)]
    return [{"adapter": "global", "policy": "drop", "rules": rules}]


def rule(name: str, ports: Iterable[str], sources: list[str]) -> roles.FirewallRule:
    """Return a rule that accepts TCP from `sources` on `ports`."""
    return {"name": name, "protocol": "tcp", "ports": list(ports), "sources": sources}


def desktop_address(site: Site) -> str:
    """Return the address of the desktop."""
    return str(site.hosts[site.desktop].address)


def closed_to_desktop(site: Site) -> bool:
    """Return whether DSM and SSH are closed to the desktop although it is in a network that manages the NAS.

    Whoever is root on the desktop could otherwise try passwords, and delete the snapshots of its backups. A desktop
    that the spec lists itself stays a manager.
    """
    if site.firewall is None or site.backup is None:
        return False
    sources, address = site.addresses(site.firewall.manage), ipaddress.ip_address(desktop_address(site))
    networks = map(ipaddress.ip_network, sources)
    return str(address) not in sources and any(address in network for network in networks)


def manages(site: Site, address: str) -> bool:
    """Return whether the firewall lets the machine at `address` manage the NAS."""
    if site.firewall is None or not site.firewall.enabled:
        return True
    if address == desktop_address(site) and closed_to_desktop(site):
        return False
    sources = site.addresses(site.firewall.manage)
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(source) for source in sources)
