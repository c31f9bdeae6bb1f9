# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole spec: what `tars.yml` may contain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from tars_provision.spec.model.base import DOMAIN, Name, Section, ShareName
from tars_provision.spec.model.hosts import Desktop, Machine, Nas
from tars_provision.spec.model.network import Firewall, Names, Network
from tars_provision.spec.model.services import Docker, Models, Stack
from tars_provision.spec.model.storage import Backup, Share


class Site(Section):
    """What a household wants: one desktop, one NAS, and what they are to each other."""

    plugin: Literal["tars.home.site"]
    """Names the inventory plugin, so that Ansible reads this file by itself."""
    domain: str = Field(default="home.arpa", pattern=DOMAIN, examples=["home.arpa"])
    """The household's DNS zone: home.arpa (RFC 8375) or a zone of your own, never .local (RFC 6762)."""
    network: Network
    """The household's network."""
    hosts: dict[Name, Annotated[Desktop | Nas, Field(discriminator="profile")]]
    """The two machines by their host names: one desktop, one NAS."""
    machines: dict[Name, Machine] = Field(default_factory=dict)
    """Other machines of the household that shares can be opened to."""
    shares: dict[ShareName, Share]
    """Shared folders of the NAS by name."""
    backup: Backup | None = None
    """Where the NAS keeps the desktop's backups. Left out: nowhere."""
    firewall: Firewall | None = None
    """Who may reach what on both machines. Left out: what they have stays."""
    names: Names | None = None
    """Name service of the household, by dnsmasq on the desktop. Left out: nobody serves the zone."""
    models: Models
    """The models the desktop serves."""
    docker: Docker = Docker()
    """Docker Engine on the desktop."""
    gpu: Literal["auto", "nvidia", "none"] = "auto"
    """Graphics processor for the models: an NVIDIA card if there is one, such a card required, or none."""
    stack: Stack
    """The services on the desktop."""

    @property
    def desktop(self) -> str:
        """Inventory name of the desktop."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Desktop))

    @property
    def nas(self) -> str:
        """Inventory name of the NAS."""
        return next(name for name, host in self.hosts.items() if isinstance(host, Nas))

    def names_of(self, machine: str) -> list[str]:
        """Return the names in full of a machine of the household: its labels', then its own."""
        host = self.hosts.get(machine)
        return [f"{label}.{self.domain}" for label in (*(host.labels if host else ()), machine)]

    def addresses(self, sources: Iterable[str]) -> list[str]:
        """Return the addresses and networks that the firewall's sources stand for, each once, in their order."""
        known = {"household": self.network.cidr} | {
            name: machine.address for name, machine in (*self.hosts.items(), *self.machines.items())
        }
        return list(dict.fromkeys(str(known.get(source, source)) for source in sources))
