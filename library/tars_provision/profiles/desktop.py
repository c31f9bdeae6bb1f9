# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the desktop's roles, from the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from tars_provision import __version__
from tars_provision.profiles import authority, roles
from tars_provision.project import SPEC
from tars_provision.spec.model import Backup, BackupCopy, Desktop, Firewall, History, Site, Uploads
from tars_provision.spec.model.site_spec import UPLOADS

HTTPS_PORT = 443
DNS_PORT = 53

LINK_NETWORKS = "link6"
"""The role host_firewall's word for the IPv6 networks on the link, which the spec does not know."""


MOUNT_CHECK = 'ls "$1" > /dev/null && findmnt --noheadings --types=noautofs --output=SOURCE --mountpoint "$1"'
"""Shell script that reads the mount at its first argument, which triggers an automount, and prints its source."""


SITE_FOLDERS = ("group_vars", "host_vars", "recorded", "authority")
"""Folders beside the spec that belong to a site: vault, variables, records, certificate authority."""


def variables(site: Site, name: str, desktop: Desktop) -> Mapping[str, object]:
    """Return the variables of all roles of the desktop named `name`.

    Those of host_firewall, names and backup are left out where the spec has no such section.
    """
    firewall: Mapping[str, object] = host_firewall(site, desktop, site.firewall) if site.firewall else {}
    names: Mapping[str, object] = name_service(site, name, desktop, enabled=site.names.enabled) if site.names else {}
    backups: Mapping[str, object] = backup(site, name, site.backup) if site.backup else {}
    mounts = nfs_mounts(site, name)
    return {
        **authority.variables(site, []),
        **host_address(site, desktop),
        **firewall,
        **names,
        **nvidia(site),
        **docker_engine(site),
        "nfs_mount_mounts": mounts,
        **stack(site, name, desktop),
        **models(site),
        **backups,
        **profile(site, mounts),
    }


def profile(site: Site, mounts: Sequence[roles.Mount]) -> roles.Desktop:
    """Return the variables of the profile role xps8950."""
    benchmark = site.models.benchmark
    return {
        "xps8950_firewall": site.firewall is not None,
        "xps8950_names": site.names is not None,
        "xps8950_nvidia": site.gpu != "none",
        "xps8950_backup": site.backup is not None,
        "xps8950_mount_checks": [mount_check(mount) for mount in mounts],
        "xps8950_benchmark": {
            "prompt_tokens": benchmark.prompt_tokens,
            "output_tokens": benchmark.output_tokens,
            "epochs": benchmark.epochs,
            "floor_tokens_per_s": benchmark.floor_tokens_per_s,
            "memory_bandwidth_gb_s": benchmark.memory_bandwidth_gb_s,
        },
    }


def host_address(site: Site, desktop: Desktop) -> roles.HostAddress:
    """Return the variables of the role host_address."""
    return {
        "host_address_interface": desktop.interface,
        "host_address_address": str(desktop.address),
        "host_address_network": str(site.network.cidr),
        "host_address_gateway": str(site.network.gateway),
        "host_address_method": desktop.addressing,
        "host_address_dns": upstream(site),
    }


def upstream(site: Site) -> list[str]:
    """Return the name servers outside the household; empty to keep those that the machine has."""
    return [str(server) for server in site.network.dns or ()]


def host_firewall(site: Site, desktop: Desktop, firewall: Firewall) -> roles.HostFirewall:
    """Return the variables of the role host_firewall: ssh to manage the machine, HTTPS and DNS to use it."""
    manage, use = site.addresses(firewall.manage), site.addresses(firewall.use)
    services: list[roles.Service] = [
        {"name": "ssh", "ports": [desktop.connect.port], "sources": with_link_networks(site, manage)},
        {"name": "https", "ports": [HTTPS_PORT], "sources": with_link_networks(site, use)},
    ]
    if site.names and site.names.enabled:
        # Every machine that gets an address in the household's network may resolve names.
        sources = [str(site.network.cidr), *use]
        services.append({"name": "dns", "ports": [DNS_PORT], "protocol": "dns", "sources": sources})
    return {
        "host_firewall_enabled": firewall.enabled,
        "host_firewall_interface": desktop.interface,
        "host_firewall_services": services,
    }


def with_link_networks(site: Site, sources: Sequence[str]) -> list[str]:
    """Return the sources, and where the whole household is among them also its IPv6 networks."""
    return [*sources, *([LINK_NETWORKS] if str(site.network.cidr) in sources else [])]


def name_service(site: Site, name: str, desktop: Desktop, *, enabled: bool) -> roles.Names:
    """Return the variables of the role names."""
    return {
        "names_enabled": enabled,
        "names_zone": site.domain,
        "names_networks": [str(site.network.cidr)],
        "names_address": str(desktop.address),
        "names_records": records(site, name),
        "names_upstream": upstream(site),
    }


def records(site: Site, first: str) -> list[roles.Record]:
    """Return the record of every machine of the spec, that of `first` before the others."""
    others = [name for name in (*site.hosts, *site.machines) if name != first]
    return [record(site, name) for name in (first, *others)]


def record(site: Site, name: str) -> roles.Record:
    """Return the record of one machine."""
    own = f"{name}.{site.domain}"
    aliases = [alias for alias in site.names_of(name) if alias != own]
    return {"name": own, "aliases": aliases, "addresses": [str(site.address_of(name))]}


def nvidia(site: Site) -> roles.Nvidia:
    """Return the variables of the role nvidia."""
    return {"nvidia_required": site.gpu == "nvidia"}


def docker_engine(site: Site) -> roles.DockerEngine:
    """Return the variables of the role docker_engine."""
    return {
        "docker_engine_source": site.docker.source,
        "docker_engine_registry_mirrors": list(site.docker.registry_mirrors),
    }


def nfs_mounts(site: Site, name: str) -> list[roles.Mount]:
    """Return the shares that the machine named `name` mounts, as the role nfs_mount takes them."""
    server = site.hosts[site.nas].address
    mounts: list[roles.Mount] = []
    for share_name, share in sorted(site.shares.items()):
        client = share.clients.get(name)
        if client and client.mount:
            source = f"{server}:{share.volume}/{share_name}"
            if site.uploads and site.uploads.share == share_name:
                mounts.append(shown(source, client.mount))
                mounts.append(writable(source, site.uploads))
            else:
                mounts.append({"source": source, "path": client.mount, "read_only": client.access == "ro"})
    if site.backup:
        mounts.append({"source": backup_export(site, site.backup), "path": site.backup.mount, "read_only": False})
        for copy_name, copy in site.backup.copies.items():
            if copy.nfs:
                mounts.append({"source": copy.nfs, "path": copy_mount(copy_name), "read_only": False})
    return mounts


def shown(source: str, path: str) -> roles.Mount:
    """Return the mount by which the documents of the share for uploads are read.

    The kernel keeps what it knows of a folder for a second, instead of half a minute, so that a document that was just
    added is found by the scan that follows.
    """
    return {"source": source, "path": path, "read_only": True, "options": ["acdirmin=1", "acdirmax=1"]}


def writable(source: str, uploads: Uploads) -> roles.Mount:
    """Return the mount of the folder for uploads alone.

    Soft, because a document has its name only once the NAS has all of it: an error loses nothing. `nosharecache` keeps
    it apart from the read-only mount of the share, whose flags the kernel may else apply to both.
    """
    return {
        "source": f"{source}/{uploads.folder}" if uploads.folder else source,
        "path": uploads_mount(uploads),
        "read_only": False,
        "options": ["soft", "nosharecache"],
    }


def uploads_mount(uploads: Uploads) -> str:
    """Return the folder of the desktop where the folder for uploads is mounted writable."""
    return f"{UPLOADS}/{uploads.share}"


def uploads_place(site: Site, uploads: Uploads) -> str:
    """Return the folder for uploads as the application knows it: by the folder of the share's mount."""
    mount = site.shares[uploads.share].clients[site.desktop].mount or ""
    return str(PurePosixPath(PurePosixPath(mount).name, uploads.folder or ""))


def backup_export(site: Site, backup: Backup) -> str:
    """Return the export of the share for backups, as server:/path."""
    return f"{site.hosts[site.nas].address}:{backup.volume}/{backup.share}"


def copy_mount(name: str) -> str:
    """Return the folder where a copy on a second NAS is mounted."""
    return f"/srv/tars/copies/{name}"


def backup_copy(name: str, copy: BackupCopy) -> dict[str, object]:
    """Return a copy of the backups as the program's configuration describes it, without the id of its repository."""
    retention = copy.retention.model_dump()
    if copy.nfs:
        path = copy_mount(name)
        return {
            "mount": {"path": path, "source": copy.nfs},
            "repository": f"{path}/repository",
            "retention": retention,
        }
    if copy.server:
        server = {"url": copy.server.url, "account": copy.server.account, "authority": copy.server.ca is not None}
        return {"server": server, "retention": retention}
    return {"disk": copy.disk, "retention": retention}


def backup(site: Site, name: str, backup: Backup) -> roles.Backup:
    """Return the variables of the role backup for the desktop named `name`."""
    authorities = {name: copy.server.ca for name, copy in backup.copies.items() if copy.server and copy.server.ca}
    return {
        "backup_copies": {copy_name: backup_copy(copy_name, copy) for copy_name, copy in backup.copies.items()},
        "backup_copy_authorities": authorities,
        "backup_drill_questions": [question.model_dump() for question in backup.drill.questions],
        "backup_drill_schedule": backup.drill.schedule,
        "backup_alarms": alarms(backup),
        "backup_host": name,
        "backup_image": backup.image,
        "backup_mount": {"path": backup.mount, "source": backup_export(site, backup)},
        "backup_retention": backup.retention.model_dump(),
        "backup_schedule": backup.schedule,
        "backup_site_files": [SPEC, *SITE_FOLDERS],
        "backup_zone": backup.zone,
    }


SILENCE_H = {"hourly": 3, "daily": 27}
"""Hours without a good backup that need attention, by the schedule."""


def alarms(backup: Backup) -> roles.Alarms:
    """Return when the backups need attention, and the ways to send messages about it."""
    given = backup.alarms
    hooks: list[roles.Alarm] = []
    if given.mail:
        mail = given.mail
        hooks.append(
            {
                "kind": "mail",
                "to": list(mail.to),
                "sender": mail.sender,
                "server": mail.server or "",
                "port": mail.port,
                "encryption": mail.encryption,
                "user": mail.user,
            }
        )
    if given.ntfy:
        hooks.append({"kind": "ntfy", "url": given.ntfy.url})
    if given.webhook:
        hooks.append({"kind": "webhook", "url": given.webhook.url})
    return {
        "silence_h": given.silence_h or SILENCE_H[backup.schedule],
        "drill_days": given.drill_days,
        "sheet_days": given.sheet_days,
        "free_percent": given.free_percent,
        "hooks": hooks,
    }


def mount_check(mount: roles.Mount) -> roles.Check:
    """Return the check that a mount can be read and is the share of the NAS."""
    return {
        "name": f"{mount['source']} is mounted and readable",
        "command": ["sh", "-c", MOUNT_CHECK, "sh", mount["path"]],
        "expect": f"^{re.escape(mount['source'])}$",
        "fix": f"see that the NAS is on and exports it; systemctl status {mount['path']}",
    }


def stack(site: Site, name: str, desktop: Desktop) -> roles.Stack:
    """Return the variables of the role stack."""
    images, chat, history = site.stack.images, site.models.chat, site.history
    return {
        "stack_version": __version__,
        "stack_images": {
            "postgres": images.postgres,
            "redis": images.redis,
            "caddy": images.caddy,
            "chroma": images.chroma,
            "python": images.python,
            "ollama": images.ollama,
        },
        "stack_scan_interval_s": site.stack.scan_interval_s,
        "stack_names": site.names_of(name),
        "stack_time_zone": site.stack.zone or (site.backup.zone if site.backup else "UTC"),
        "stack_history_shares": history_folders(site) if history and history.enabled else [],
        "stack_history_days": (history or History()).days,
        "stack_versions_years": site.versions.years or 0,
        "stack_uploads_mount": uploads_mount(site.uploads) if site.uploads else "",
        "stack_uploads_place": uploads_place(site, site.uploads) if site.uploads else "",
        "stack_addresses": [str(desktop.address)],
        "stack_chat_model": chat.name,
        "stack_context_tokens": chat.context_tokens,
        "stack_answer_tokens": chat.answer_tokens,
        "stack_embedding_model": site.models.embedding.name,
    }


def history_folders(site: Site) -> list[str]:
    """Return the names of the folders in which the desktop mounts the shares of `history`."""
    clients = [site.shares[share].clients[site.desktop] for share in site.history_shares]
    return [PurePosixPath(client.mount).name for client in clients if client.mount]


def models(site: Site) -> roles.Models:
    """Return the variables of the role models."""
    return {"models_names": [site.models.chat.name, site.models.embedding.name]}
