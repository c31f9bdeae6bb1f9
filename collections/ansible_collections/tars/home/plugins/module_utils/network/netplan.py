# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that netplan gives to systemd-networkd or to NetworkManager: our wish is one more YAML file.

Netplan reads all of them and merges them: of single values the last file's counts, lists add up. What it makes of them
with ours is tried in a folder of its own before anything counts. `netplan apply` is not for here: it sets every
interface anew, not only the one.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from . import network_manager as address_network_manager
from . import networkd as address_networkd
from .renderer import HEADER, AddressError, Renderer, Told, Wish
from .rollback import run

ROOTS = ("lib", "etc", "run")
"""Where netplan looks for YAML. Of two with one name the one further behind counts (netplan-generate(8))."""
KINDS = ("ethernets", "bridges", "bonds", "vlans", "wifis")
FOR_NETWORKD = re.compile(r"(?P<made>/run/systemd/network/10-netplan-(?P<key>.+)\.network)")
FOR_NETWORK_MANAGER = re.compile(r"(?P<made>/run/NetworkManager/system-connections/netplan-(?P<key>.+)\.nmconnection)")


@dataclass(frozen=True)
class Netplan(Renderer):
    """One more YAML file. `key` is what netplan calls the interface, `made` the file that it makes of all of them."""

    key: str = ""
    made: str = ""
    told: Callable[[str], Told] = address_networkd.told

    def text(self, wish: Wish) -> str:
        if self.told is address_networkd.told:
            address_networkd.alone(self.interface, self.made)
        others = self._outcome("")
        beside = others.beside(wish)
        if beside:
            raise AddressError(
                f"{self.interface} has {beside} by {self._where(others, wish)}, and netplan adds up what its files "
                f"say; {wish.address} by {wish.gateway} is wanted. Next: take it out there, or have the spec say it."
            )
        settings: dict[str, object] = {"dhcp4": False}
        if wish.address not in others.addresses:
            settings["addresses"] = [wish.address]
        if wish.gateway not in others.gateways:
            settings["routes"] = [{"to": "default", "via": wish.gateway}]
        if wish.dns or self.dns:
            settings["nameservers"] = {"addresses": list(wish.dns or self.dns)}
        # JSON is YAML as well, and needs no library.
        text = f"{HEADER}\n{json.dumps({'network': {'version': 2, self._kind(): {self.key: settings}}}, indent=2)}\n"
        outcome = self._outcome(text)
        if outcome != Told(frozenset([wish.address]), frozenset([wish.gateway])):
            raise AddressError(
                f"{self.interface}: {wish.address} by {wish.gateway} is wanted, and with {self.below_etc} netplan "
                f"would give it {str(outcome) or 'nothing'}. Next: see what `netplan get` says of {self.key}."
            )
        return text

    def _kind(self) -> str:
        for kind in KINDS:
            if run(["netplan", "get", f"{kind}.{self.key.replace('.', chr(92) + '.')}"]).strip() != "null":
                return kind
        raise AddressError(
            f"{self.interface}: netplan made {self.made}, and `netplan get` knows no {self.key} among its "
            f"{', '.join(KINDS)}. Next: run `netplan generate` and see what it says."
        )

    def _outcome(self, ours: str) -> Told:
        """What netplan makes of all YAML files with this text for ours."""
        # Not on disk: such files may hold the key of a wireless network.
        with tempfile.TemporaryDirectory(prefix="tars-netplan-", dir="/run") as folder:
            for root in ROOTS:
                os.makedirs(f"{folder}/{root}/netplan")
                for path in glob.glob(f"/{root}/netplan/*.yaml"):
                    shutil.copy(path, f"{folder}{path}")
            for path in (self.below_etc, self.below_run):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{folder}{path}")
            if ours:
                with open(f"{folder}{self.below_run}", "w", encoding="utf-8", opener=_private) as file:
                    file.write(ours)
            run(["netplan", "generate", "--root-dir", folder])
            with open(f"{folder}{self.made}", encoding="utf-8") as file:
                return self.told(file.read())

    def _where(self, others: Told, wish: Wish) -> str:
        """The YAML files that say what stands against the wish."""
        against = (others.addresses - {wish.address}) | (others.gateways - {wish.gateway})
        found = []
        for path in sorted(path for root in ROOTS for path in glob.glob(f"/{root}/netplan/*.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if path not in (self.below_etc, self.below_run) and any(said in text for said in against):
                found.append(path)
        return ", ".join(found) or "netplan"


def find(interface: str) -> Optional[Renderer]:
    """The interface's renderer, where netplan has made what the program that looks after it reads."""
    link = address_networkd.link(interface)
    if link is not None:
        made = FOR_NETWORKD.fullmatch(link["NETWORK_FILE"])
        renew = f"networkctl reload\nnetworkctl reconfigure {interface}"
        told, dns = address_networkd.told, address_networkd.servers(link)
    else:
        profile = address_network_manager.active(interface)
        if profile is None:
            return None
        made = FOR_NETWORK_MANAGER.fullmatch(profile.path)
        renew = address_network_manager.use(profile.uuid)
        told, dns = address_network_manager.told, profile.dns
    # What NetworkManager itself has put into netplan's folder it goes on to look after as its own.
    if made is None or made["key"].startswith("NM-"):
        return None
    name = f"netplan/zz-tars-{interface}.yaml"
    return Netplan(
        interface=interface,
        program="netplan",
        source=made["made"],
        dns=dns,
        below_run=f"/run/{name}",
        below_etc=f"/etc/{name}",
        renew=f"netplan generate\n{renew}",
        back=f"netplan generate\n{renew}",
        key=made["key"],
        made=made["made"],
        told=told,
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
