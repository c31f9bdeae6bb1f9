# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that NetworkManager looks after by a profile of its own: our wish is a profile that goes before it.

It is a copy of the profile in use but for its name and what it says of IPv4 addresses, and is preferred at a boot by
its priority. A profile below /run hides the one below /etc that has the same identifier (seen with 1.52).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Optional

from .renderer import HEADER, Renderer, Told, Wish, sections
from .rollback import run

PROFILES = "NetworkManager/system-connections"
PRIORITY = 999
"""Of those that connect by themselves the highest goes first; there is none higher (nm-settings(5))."""
CONNECTION = re.compile(r"(id|uuid|interface-name|autoconnect|autoconnect-priority|permissions|timestamp)$")
"""What a profile says of itself: its name, and when and for whom it is used."""
IPV4 = re.compile(r"(method|gateway|never-default|dns|ignore-auto-dns|ignore-auto-routes|address(es)?\d*)$")
"""What a profile says of IPv4 addresses. Routes to particular networks, search domains and the rest stay."""


@dataclass(frozen=True)
class Profile:
    """The profile in use on an interface."""

    uuid: str
    path: str
    dns: tuple[str, ...]


@dataclass(frozen=True)
class NetworkManager(Renderer):
    """A profile of the interface's own."""

    def text(self, wish: Wish) -> str:
        with open(self.source, encoding="utf-8") as file:
            return profile(file.read(), self.interface, wish, wish.dns or self.dns)

    def settle(self) -> None:
        run(["nmcli", "connection", "reload"])


def find(interface: str) -> Optional[Renderer]:
    """The interface's renderer, where NetworkManager has it by a profile in a file."""
    current = active(interface)
    if current is None:
        return None
    name = f"{PROFILES}/tars-{interface}.nmconnection"
    return NetworkManager(
        interface=interface,
        program="NetworkManager",
        source=current.path,
        dns=current.dns,
        below_run=f"/run/{name}",
        below_etc=f"/etc/{name}",
        renew=use(identifier(interface)),
        back=use(current.uuid),
    )


def use(identifier: str) -> str:
    """The shell commands that have NetworkManager read its files anew and use a profile."""
    return f"nmcli connection reload\nnmcli --wait 20 connection up uuid {identifier}"


def identifier(interface: str) -> str:
    """The identifier of our profile for an interface, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tars.home.host_address/{interface}"))


def active(interface: str) -> Optional[Profile]:
    """The profile that NetworkManager uses on an interface; None where it uses none, or none of a file of its own."""
    if run(["systemctl", "show", "--property=ActiveState", "--value", "NetworkManager"]).strip() != "active":
        return None
    shown = run(["nmcli", "--terse", "--fields", "GENERAL.CON-UUID,IP4.DNS", "device", "show", interface])
    pairs = [line.partition(":")[::2] for line in shown.splitlines()]
    current = dict(pairs).get("GENERAL.CON-UUID", "")
    listed = run(["nmcli", "--terse", "--escape", "no", "--fields", "UUID,FILENAME", "connection", "show"])
    path = dict(line.partition(":")[::2] for line in listed.splitlines()).get(current, "")
    if not path.endswith(".nmconnection"):
        return None
    with open(path, encoding="utf-8") as file:
        # Of an interface that somebody else has set up it keeps a profile as well, for show.
        if any(name == ".nmmeta" and ("external", "true") in found for name, found in sections(file.read())):
            return None
    return Profile(current, path, tuple(value for key, value in pairs if key.startswith("IP4.DNS")))


def profile(text: str, interface: str, wish: Wish, dns: tuple[str, ...]) -> str:
    """A profile with our wish, made from the text of another."""
    ours = {
        "connection": [
            f"id=tars-{interface}",
            f"uuid={identifier(interface)}",
            f"interface-name={interface}",
            f"autoconnect-priority={PRIORITY}",
        ],
        "ipv4": ["method=manual", f"address1={wish.address}", f"gateway={wish.gateway}"],
    }
    if dns:
        ours["ipv4"].append(f"dns={''.join(f'{server};' for server in dns)}")
    replaced = {"connection": CONNECTION, "ipv4": IPV4}
    lines = [HEADER]
    for name, found in sections(text):
        if name in ("", ".nmmeta"):
            continue
        defaults = tuple(key for key, value in found if key.startswith("route") and value.startswith("0.0.0.0/0"))
        kept = [
            f"{key}={value}"
            for key, value in found
            if not (name in replaced and replaced[name].match(key))
            and not (name == "ipv4" and key.removesuffix("_options") in defaults)
        ]
        lines += ["", f"[{name}]", *ours.pop(name, []), *kept]
    for name, left in ours.items():
        lines += ["", f"[{name}]", *left]
    return "".join(f"{line}\n" for line in lines)


def told(text: str) -> Told:
    """What a profile says about IPv4."""
    addresses, gateways, dhcp = set(), set(), False
    for name, found in sections(text):
        if name != "ipv4":
            continue
        for key, value in found:
            first, _, router = value.partition(",")
            if re.fullmatch(r"address(es)?\d*", key):
                addresses.add(first)
                gateways.add(router)
            elif re.fullmatch(r"route\d+", key) and first == "0.0.0.0/0":
                gateways.add(router.partition(",")[0])
            elif key == "gateway":
                gateways.add(value)
            elif key == "method":
                dhcp = value == "auto"
    return Told(frozenset(addresses), frozenset(gateways - {""}), dhcp)
