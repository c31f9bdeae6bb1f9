# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that systemd-networkd looks after by files of their owner: our wish is a drop-in beside such a file.

Whatever else that file says (IPv6 above all) stays. What it says of IPv4 addresses would add to what a drop-in says.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Optional

from ..system import files as file_set
from .renderer import HEADER, AddressError, Renderer, Told, Wish, sections

DROP_IN = "zz-tars.conf"
"""By its name the last of the drop-ins, whose word counts."""
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
"""Where drop-ins lie. Of two with one name the one further in front counts (systemd.network(5))."""
LINKS = "/run/systemd/netif/links"


@dataclass(frozen=True)
class Networkd(Renderer):
    """A drop-in. One below /run does not count beside one of its name below /etc, so that one steps back before."""

    stepped_back: str = ""
    """Where the drop-in below /etc lies meanwhile: it counts there as well, at a reboot too, but less than ours."""

    def text(self, wish: Wish) -> str:
        alone(self.interface, self.source)
        texts = dict(_files(self.source))
        everything = "\n".join(texts.values())
        beside = told(everything).beside(wish)
        if beside:
            others = [path for path, text in texts.items() if told(text).beside(wish)]
            raise AddressError(
                f"{self.interface} has {beside} by {', '.join(others)}, which a drop-in adds to and does not replace; "
                f"{wish.address} by {wish.gateway} is wanted. Next: take it out there, or have the spec say it."
            )
        network = [found for name, found in sections(everything) if name == "Network"]
        dhcp = [value.lower() for found in network for key, value in found if key == "DHCP"]
        keeps_dhcp6 = bool(dhcp) and dhcp[-1] in ("yes", "true", "on", "1", "ipv6")
        lines = [HEADER, "[Network]", f"DHCP={'ipv6' if keeps_dhcp6 else 'no'}"]
        lines += [f"Address={wish.address}", f"Gateway={wish.gateway}"]
        lines += [f"DNS={server}" for server in wish.dns or self.dns]
        return "".join(f"{line}\n" for line in lines)

    def make_way(self) -> None:
        present = file_set.read(self.below_etc)
        if present is not None:
            file_set.write_file(self.stepped_back, present.content or b"", self.mode)
            os.unlink(self.below_etc)

    def settle(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.stepped_back)


def link(interface: str) -> Optional[Mapping[str, str]]:
    """What networkd notes about an interface, where it looks after it."""
    found = _noted(socket.if_nametoindex(interface))
    return found if found.get("ADMIN_STATE") in ("configured", "configuring") and found.get("NETWORK_FILE") else None


def alone(interface: str, network_file: str) -> None:
    """Raise AddressError where other interfaces share the interface's file, and would share its address."""
    found = socket.if_nameindex()
    sharing = [name for number, name in found if _noted(number).get("NETWORK_FILE") == network_file]
    if sharing != [interface]:
        raise AddressError(
            f"{interface}: {network_file} is for all of {', '.join(sharing)}, which would get one address. Next: write "
            f"a file for {interface} alone, run `networkctl reload`, then this again."
        )


def find(interface: str) -> Optional[Renderer]:
    """The interface's renderer, where networkd has it by a file of its owner."""
    found = link(interface)
    if found is None:
        return None
    drop_in = f"systemd/network/{os.path.basename(found['NETWORK_FILE'])}.d/{DROP_IN}"
    below_etc, stepped_back = f"/etc/{drop_in}", f"/usr/local/lib/{drop_in}"
    # A networkd that is being restarted takes no orders, and reads its files anew by itself.
    renew = f"networkctl reload && networkctl reconfigure {interface} || systemctl restart systemd-networkd"
    return Networkd(
        interface=interface,
        program="systemd-networkd",
        source=found["NETWORK_FILE"],
        dns=servers(found),
        below_run=f"/run/{drop_in}",
        below_etc=below_etc,
        renew=renew,
        back=f"if [ -e {quote(stepped_back)} ]; then mv {quote(stepped_back)} {quote(below_etc)}; fi\n{renew}",
        mode=0o644,
        stepped_back=stepped_back,
    )


def servers(link: Mapping[str, str]) -> tuple[str, ...]:
    """The name servers in force."""
    return tuple(link.get("DNS", "").split())


def told(text: str) -> Told:
    """What a .network file, or several one after the other, says about IPv4."""
    addresses, gateways, dhcp = set(), set(), False
    for name, found in sections(text):
        keys = dict(found)
        if name in ("Network", "Address"):
            addresses |= {value for key, value in found if key == "Address" and "." in value}
        if name == "Network":
            gateways |= {value for key, value in found if key == "Gateway" and "." in value}
            dhcp = keys.get("DHCP", "ipv4" if dhcp else "no").lower() in ("yes", "true", "on", "1", "ipv4")
        if name == "Route" and keys.get("Destination", "0.0.0.0/0") == "0.0.0.0/0" and "." in keys.get("Gateway", ""):
            gateways.add(keys["Gateway"])
    return Told(frozenset(addresses), frozenset(gateways), dhcp)


def _files(source: str) -> list[tuple[str, str]]:
    """A .network file and its drop-ins without ours, in the order in which they count, with their texts."""
    drop_ins: dict[str, str] = {}
    for root in reversed(ROOTS):
        for path in glob.glob(f"{root}/systemd/network/{os.path.basename(source)}.d/*.conf"):
            drop_ins[os.path.basename(path)] = path
    drop_ins.pop(DROP_IN, None)
    paths = [source, *(drop_ins[name] for name in sorted(drop_ins))]
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append((path, file.read()))
    return texts


def _noted(number: int) -> Mapping[str, str]:
    try:
        with open(f"{LINKS}/{number}", encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except FileNotFoundError:
        return {}
