# SPDX-License-Identifier: GPL-3.0-or-later
"""What every program that looks after an interface has in common, seen from one who gives the interface an address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEADER = "# Written by tars.home.host_address, changes are lost."


class AddressError(Exception):
    """The address cannot be as wished. The message names the interface, what was found and the next step."""


@dataclass(frozen=True)
class Wish:
    """The one IPv4 address with its prefix length, the router, and name servers (empty: those it has)."""

    address: str
    gateway: str
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What files say about IPv4: addresses with their prefix lengths, routers, and whether a lease is asked for."""

    addresses: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    dhcp: bool = False

    def beside(self, wish: Wish) -> str:
        """What of it stands against the wish, in words; empty where nothing does. A lease can be declined."""
        return str(Told(self.addresses - {wish.address}, self.gateways - {wish.gateway}))

    def __str__(self) -> str:
        words = [f"address {address}" for address in sorted(self.addresses)]
        return ", ".join(words + [f"router {gateway}" for gateway in sorted(self.gateways)] + ["a lease"] * self.dhcp)


@dataclass(frozen=True)
class Renderer:
    """The program that looks after one interface, and the file of ours that tells it our wish.

    That file lies at `below_run` until it is confirmed, where a reboot forgets it, and at `below_etc` from then on.
    `renew` are the shell commands that set the interface by it, `back` those that do so once it is gone again.
    """

    interface: str
    program: str
    source: str
    """The file that the program has about the interface now."""
    dns: tuple[str, ...]
    """The name servers in force."""
    below_run: str
    below_etc: str
    renew: str
    back: str
    mode: int = 0o600

    def text(self, wish: Wish) -> str:
        """What our file has to say. Raises AddressError where what other files say stands against the wish."""
        raise NotImplementedError

    def make_way(self) -> None:
        """See to it that the file at `below_run` counts while there is one at `below_etc`, now and after a reboot."""

    def settle(self) -> None:
        """Tell the program that the file has moved from `below_run` to `below_etc`."""


def sections(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The sections of a file such as networkd's and NetworkManager's: name, and its keys and values in order."""
    name, found = "", list[tuple[str, str]]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            yield name, found
            name, found = line[1:-1], []
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    yield name, found
