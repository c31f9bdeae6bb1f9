# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that NetworkManager manages by a profile: our settings are a profile that is preferred to it.

It is a copy of the profile in use except for its name and its IPv4 addresses, and is preferred at a boot by its
priority. A profile below /run hides the one below /etc that has the same identifier (seen with 1.52).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from ..system.process import run
from .renderer import HEADER, Configured, Desired, Renderer, sections

PROFILES = "NetworkManager/system-connections"
PRIORITY = 999
"""The highest priority of a profile that connects automatically (nm-settings(5))."""
CONNECTION = re.compile(r"(id|uuid|interface-name|autoconnect|autoconnect-priority|permissions|timestamp)$")
"""The keys of a profile's name, and of when and for which users it is used."""
IPV4 = re.compile(r"(method|gateway|never-default|dns|ignore-auto-dns|ignore-auto-routes|address(es)?\d*)$")
"""The keys of a profile's IPv4 addresses. Routes to particular networks, search domains and the rest stay."""


@dataclass(frozen=True)
class Profile:
    """The profile in use on an interface."""

    uuid: str
    path: str
    dns: tuple[str, ...]


@dataclass(frozen=True)
class NetworkManager(Renderer):
    """A profile of the interface's own."""

    def text(self, desired: Desired) -> str:
        """Return the profile in use with the desired settings."""
        with open(self.source, encoding="utf-8") as file:
            return profile(file.read(), self.interface, desired, desired.dns or self.dns)

    def finish(self) -> None:
        """Let NetworkManager read its profiles again."""
        run(["nmcli", "connection", "reload"])


def file_name(interface: str) -> str:
    """Return the name of our profile's file for an interface."""
    return f"tars-{interface}.nmconnection"


def find(interface: str) -> Renderer | None:
    """Return the interface's renderer if NetworkManager manages it by a profile in a file, else None."""
    current = active(interface)
    if current is None:
        return None
    name = f"{PROFILES}/{file_name(interface)}"
    return NetworkManager(
        interface=interface,
        program="NetworkManager",
        source=current.path,
        dns=current.dns,
        runtime_path=f"/run/{name}",
        persistent_path=f"/etc/{name}",
        activate=use(identifier(interface)),
        restore=use(current.uuid),
    )


def use(identifier: str) -> str:
    """Return the shell commands that let NetworkManager read its files again and use a profile."""
    return f"nmcli connection reload\nnmcli --wait 20 connection up uuid {identifier}"


def identifier(interface: str) -> str:
    """Return the identifier of our profile for an interface, which is always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tars.home.host_address/{interface}"))


def active(interface: str) -> Profile | None:
    """Return the profile that NetworkManager uses on an interface, None if there is none with a file of its own."""
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
        # NetworkManager also shows a profile for an interface that another program has configured.
        if any(name == ".nmmeta" and ("external", "true") in pairs for name, pairs in sections(file.read())):
            return None
    return Profile(current, path, tuple(value for key, value in pairs if key.startswith("IP4.DNS")))


def profile(text: str, interface: str, desired: Desired, dns: tuple[str, ...]) -> str:
    """A profile with our desired, made from the text of another."""
    ours = {
        "connection": [
            f"id=tars-{interface}",
            f"uuid={identifier(interface)}",
            f"interface-name={interface}",
            f"autoconnect-priority={PRIORITY}",
        ],
        "ipv4": ["method=manual", f"address1={desired.address}", f"gateway={desired.gateway}"],
    }
    if dns:
        ours["ipv4"].append(f"dns={''.join(f'{server};' for server in dns)}")
    replaced = {"connection": CONNECTION, "ipv4": IPV4}
    lines = [HEADER]
    for name, pairs in sections(text):
        if name in ("", ".nmmeta"):
            continue
        defaults = tuple(key for key, value in pairs if key.startswith("route") and value.startswith("0.0.0.0/0"))
        kept = [
            f"{key}={value}"
            for key, value in pairs
            if not (name in replaced and replaced[name].match(key))
            and not (name == "ipv4" and key.removesuffix("_options") in defaults)
        ]
        lines += ["", f"[{name}]", *ours.pop(name, []), *kept]
    for name, left in ours.items():
        lines += ["", f"[{name}]", *left]
    return "".join(f"{line}\n" for line in lines)


def configured(text: str) -> Configured:
    """Return the IPv4 settings of a profile."""
    addresses, gateways, dhcp = set(), set(), False
    for name, pairs in sections(text):
        if name != "ipv4":
            continue
        for key, value in pairs:
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
    return Configured(frozenset(addresses), frozenset(gateways - {""}), dhcp)
