# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that netplan configures for systemd-networkd or NetworkManager: our settings are one more YAML file.

Netplan merges all files: of single values the last file's takes precedence, lists are concatenated. The outcome with
our file is tried in a folder of its own before anything changes. `netplan apply` is not used, because it configures
every interface again, not only this one.
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

from ..system import files
from ..system.process import run
from . import network_manager, networkd
from .renderer import HEADER, AddressError, Configured, Desired, Renderer

ROOTS = ("lib", "etc", "run")
"""Folders where netplan looks for YAML. Of two files of one name the later folder's counts (netplan-generate(8))."""
KINDS = ("ethernets", "bridges", "bonds", "vlans", "wifis")
FOR_NETWORKD = re.compile(r"(?P<made>/run/systemd/network/10-netplan-(?P<key>.+)\.network)")
FOR_NETWORK_MANAGER = re.compile(r"(?P<made>/run/NetworkManager/system-connections/netplan-(?P<key>.+)\.nmconnection)")


@dataclass(frozen=True)
class Netplan(Renderer):
    """One more YAML file. `key` is netplan's name of the interface, `made` the file that it generates from all."""

    key: str = ""
    made: str = ""
    configured: Callable[[str], Configured] = networkd.configured

    def text(self, desired: Desired) -> str:
        """Return the YAML that gives the interface the desired settings, as tried with all other files."""
        if self.configured is networkd.configured:
            networkd.alone(self.interface, self.made)
        others = self._outcome("")
        conflicts = others.conflicts(desired)
        if conflicts:
            raise AddressError(
                f"{self.interface}: found {conflicts} in {self._where(others, desired)}, which netplan would keep; "
                f"expected {desired.address} by {desired.gateway} alone. Next: remove it there, or make it the desired "
                "address."
            )
        settings: dict[str, object] = {"dhcp4": False}
        if desired.address not in others.addresses:
            settings["addresses"] = [desired.address]
        if desired.gateway not in others.gateways:
            settings["routes"] = [{"to": "default", "via": desired.gateway}]
        if desired.dns or self.dns:
            settings["nameservers"] = {"addresses": list(desired.dns or self.dns)}
        # JSON is YAML as well, and needs no library.
        text = f"{HEADER}\n{json.dumps({'network': {'version': 2, self._kind(): {self.key: settings}}}, indent=2)}\n"
        outcome = self._outcome(text)
        if outcome != Configured(frozenset([desired.address]), frozenset([desired.gateway])):
            raise AddressError(
                f"{self.interface}: with {self.persistent_path} netplan would configure {str(outcome) or 'nothing'}, "
                f"expected {desired.address} by {desired.gateway}. Next: check {self.key} in `netplan get`."
            )
        return text

    def _kind(self) -> str:
        for kind in KINDS:
            if run(["netplan", "get", f"{kind}.{self.key.replace('.', chr(92) + '.')}"]).strip() != "null":
                return kind
        raise AddressError(
            f"{self.interface}: netplan generated {self.made}, but `netplan get` has no {self.key} among its "
            f"{', '.join(KINDS)}. Next: run `netplan generate` and correct what it reports."
        )

    def _outcome(self, ours: str) -> Configured:
        """Return the settings that netplan generates from all YAML files, with this text as ours."""
        # Not on disk: such files may hold the key of a wireless network.
        with tempfile.TemporaryDirectory(prefix="tars-netplan-", dir="/run") as folder:
            for root in ROOTS:
                files.make_folder(f"{folder}/{root}/netplan")
                for path in glob.glob(f"/{root}/netplan/*.yaml"):
                    shutil.copy(path, f"{folder}{path}")
            for path in (self.persistent_path, self.runtime_path):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{folder}{path}")
            if ours:
                files.write_file(f"{folder}{self.runtime_path}", ours, 0o600)
            run(["netplan", "generate", "--root-dir", folder])
            with open(f"{folder}{self.made}", encoding="utf-8") as file:
                return self.configured(file.read())

    def _where(self, others: Configured, desired: Desired) -> str:
        """Return the YAML files with the contradicting settings."""
        against = (others.addresses - {desired.address}) | (others.gateways - {desired.gateway})
        paths = []
        for path in sorted(path for root in ROOTS for path in glob.glob(f"/{root}/netplan/*.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if path not in (self.persistent_path, self.runtime_path) and any(value in text for value in against):
                paths.append(path)
        return ", ".join(paths) or "netplan"


def file_name(interface: str) -> str:
    """Return the name of our file for an interface: the last one, so that it takes precedence."""
    return f"zz-tars-{interface}.yaml"


def find(interface: str) -> Renderer | None:
    """Return the interface's renderer if netplan generated its configuration, else None."""
    link = networkd.link(interface)
    if link is not None:
        made = FOR_NETWORKD.fullmatch(link["NETWORK_FILE"])
        activate = f"networkctl reload\nnetworkctl reconfigure {interface}"
        configured, dns = networkd.configured, networkd.servers(link)
    else:
        profile = network_manager.active(interface)
        if profile is None:
            return None
        made = FOR_NETWORK_MANAGER.fullmatch(profile.path)
        activate = network_manager.use(profile.uuid)
        configured, dns = network_manager.configured, profile.dns
    # NetworkManager keeps managing the files that it has itself written into netplan's folder.
    if made is None or made["key"].startswith("NM-"):
        return None
    name = f"netplan/{file_name(interface)}"
    return Netplan(
        interface=interface,
        program="netplan",
        source=made["made"],
        dns=dns,
        runtime_path=f"/run/{name}",
        persistent_path=f"/etc/{name}",
        activate=f"netplan generate\n{activate}",
        restore=f"netplan generate\n{activate}",
        key=made["key"],
        made=made["made"],
        configured=configured,
    )
