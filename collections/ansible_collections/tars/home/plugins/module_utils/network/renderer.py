# SPDX-License-Identifier: GPL-3.0-or-later
"""The common interface of the programs that manage network interfaces (netplan, systemd-networkd, NetworkManager)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..resource.errors import ResourceError

HEADER = "# Written by tars.home.host_address, changes are lost."


class AddressError(ResourceError):
    """The address cannot be as desired. The message names the interface, what was found and the next step."""


@dataclass(frozen=True)
class Desired:
    """The one IPv4 address with its prefix length, the router, and name servers (empty: the current ones)."""

    address: str
    gateway: str
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configured:
    """The IPv4 settings in files: addresses with their prefix lengths, routers, and whether DHCP is used."""

    addresses: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    dhcp: bool = False

    def conflicts(self, desired: Desired) -> str:
        """Return the settings that contradict the desired ones, in words; empty if none does. DHCP does not."""
        return str(Configured(self.addresses - {desired.address}, self.gateways - {desired.gateway}))

    def __str__(self) -> str:
        words = [f"address {address}" for address in sorted(self.addresses)]
        return ", ".join(words + [f"router {gateway}" for gateway in sorted(self.gateways)] + ["DHCP"] * self.dhcp)


@dataclass(frozen=True)
class Renderer:
    """The program that manages one interface, and the file of ours with the desired settings.

    The file is at `runtime_path` until it is confirmed, where a reboot deletes it, and at `persistent_path` from then
    on. `activate` are the shell commands that put it into force, `restore` those that do so after it was deleted.
    """

    interface: str
    program: str
    source: str
    """The file that configures the interface now."""
    dns: tuple[str, ...]
    """The name servers in force."""
    runtime_path: str
    persistent_path: str
    activate: str
    restore: str
    mode: int = 0o600

    def text(self, desired: Desired) -> str:
        """Return the text of our file. Raises AddressError if other files contradict the desired settings."""
        raise NotImplementedError

    def move_aside(self) -> None:
        """Let the file at `runtime_path` take precedence over one at `persistent_path`, now and after a reboot."""

    def finish(self) -> None:
        """Let the program notice that the file was moved from `runtime_path` to `persistent_path`."""


def sections(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the sections of a file of networkd or NetworkManager: the name, and its keys and values in order."""
    name, pairs = "", list[tuple[str, str]]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            yield name, pairs
            name, pairs = line[1:-1], []
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            pairs.append((key.strip(), value.strip()))
    yield name, pairs
