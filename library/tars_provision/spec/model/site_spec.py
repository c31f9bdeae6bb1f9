# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole spec: what `tars.yml` may contain."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from tars_provision.spec.model.base import DOMAIN, Name, Section, ShareName
from tars_provision.spec.model.hosts import Desktop, Machine, Nas
from tars_provision.spec.model.network import Firewall, Names, Network
from tars_provision.spec.model.services import Docker, Models, Stack
from tars_provision.spec.model.storage import Backup, History, Share, Uploads, Versions

DOCUMENTS = "/srv/tars/documents"
"""Folder whose mounts the application reads documents from, the default of the role stack."""

UPLOADS = "/srv/tars/uploads"
"""Folder below which the folder for uploads is mounted writable."""


class Site(Section):
    """The desired state of a site: one desktop, one NAS, and how they work together."""

    plugin: Literal["tars.home.site"]
    """Ansible's inventory plugin for this file."""
    domain: str = Field(default="home.arpa", pattern=DOMAIN, examples=["home.arpa"])
    """DNS zone of the home network: home.arpa (RFC 8375) or a zone of your own, never .local (RFC 6762)."""
    network: Network
    """The home network."""
    hosts: dict[Name, Annotated[Desktop | Nas, Field(discriminator="profile")]]
    """The two machines by their host names: one desktop, one NAS."""
    machines: dict[Name, Machine] = Field(default_factory=dict)
    """Other machines in the home network that shares and firewall rules can name."""
    shares: dict[ShareName, Share]
    """Shared folders of the NAS by name."""
    backup: Backup | None = None
    """Share of the NAS for the desktop's backups. Default: none."""
    history: History | None = None
    """Earlier versions of documents, from the NAS's snapshots. Default: none."""
    versions: Versions = Versions()
    """How long replaced versions of documents are kept."""
    uploads: Uploads | None = None
    """Folder in which the page adds documents. Default: none."""
    firewall: Firewall | None = None
    """Host firewalls of both machines. Default: they stay as they are."""
    names: Names | None = None
    """DNS server for the zone, dnsmasq on the desktop. Default: none."""
    models: Models
    """The models the desktop serves."""
    docker: Docker = Docker()
    """Docker Engine on the desktop."""
    gpu: Literal["auto", "nvidia", "none"] = "auto"
    """GPU for the models: an NVIDIA card if present (`auto`), an NVIDIA card required (`nvidia`), or none."""
    stack: Stack
    """The services on the desktop."""

    @property
    def desktop(self) -> str:
        """Inventory name of the desktop."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Desktop))

    @property
    def desktop_host(self) -> Desktop:
        """The desktop's entry under `hosts`."""
        return next(host for host in self.hosts.values() if isinstance(host, Desktop))

    @property
    def nas_host(self) -> Nas:
        """The NAS's entry under `hosts`."""
        return next(host for host in self.hosts.values() if isinstance(host, Nas))

    @property
    def nas(self) -> str:
        """Inventory name of the NAS."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Nas))

    @property
    def history_shares(self) -> list[str]:
        """Names of the shares whose snapshots are imported, or would be if that is off."""
        if self.history is None:
            return []
        return sorted(self.document_shares if self.history.shares is None else set(self.history.shares))

    @property
    def document_shares(self) -> list[str]:
        """Names of the shares that the application reads documents from."""
        clients = {name: share.clients.get(self.desktop) for name, share in self.shares.items()}
        return [
            name
            for name, client in clients.items()
            if client and client.mount and str(PurePosixPath(client.mount).parent) == DOCUMENTS
        ]

    def address_of(self, machine: str) -> IPv4Address:
        """Return the address of a machine of the household, by its name under `hosts` or `machines`."""
        return {**self.hosts, **self.machines}[machine].address

    def names_of(self, machine: str) -> list[str]:
        """Return the fully qualified names of a machine, each once: those of its labels, then its own."""
        host = self.hosts.get(machine)
        return [f"{label}.{self.domain}" for label in dict.fromkeys((*(host.labels if host else ()), machine))]

    def addresses(self, sources: Iterable[str]) -> list[str]:
        """Return the firewall's sources as addresses and networks, without duplicates, in their order."""
        known = {"household": self.network.cidr} | {
            name: machine.address for name, machine in (*self.hosts.items(), *self.machines.items())
        }
        return list(dict.fromkeys(str(known.get(source, source)) for source in sources))
