# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that systemd-networkd manages by files of the owner: our settings are a drop-in of such a file.

All other settings of that file (IPv6 above all) stay. Its IPv4 addresses would be added to those of a drop-in.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from ..system import files
from .renderer import HEADER, AddressError, Configured, Desired, Renderer, sections

DROP_IN = "zz-tars.conf"
"""By its name the last of the drop-ins, which takes precedence."""
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
"""Folders of drop-ins. Of two files of one name the earlier folder's counts (systemd.network(5))."""
LINKS = "/run/systemd/netif/links"


@dataclass(frozen=True)
class Networkd(Renderer):
    """A drop-in. One below /run is ignored if one of its name exists below /etc, so that one is moved aside first."""

    earlier_path: str = ""
    """Where the drop-in below /etc is meanwhile: it is used there as well, also after a reboot, unless ours exists."""

    def text(self, desired: Desired) -> str:
        """Return the drop-in. DHCP for IPv6 stays as it is."""
        alone(self.interface, self.source)
        texts = dict(_files(self.source))
        everything = "\n".join(texts.values())
        conflicts = configured(everything).conflicts(desired)
        if conflicts:
            others = [path for path, text in texts.items() if configured(text).conflicts(desired)]
            raise AddressError(
                f"{self.interface}: found {conflicts} in {', '.join(others)}, which a drop-in does not replace; "
                f"expected {desired.address} by {desired.gateway} alone. Next: remove it there, or make it the desired "
                "address."
            )
        network = [pairs for name, pairs in sections(everything) if name == "Network"]
        dhcp = [value.lower() for pairs in network for key, value in pairs if key == "DHCP"]
        keeps_dhcp6 = bool(dhcp) and dhcp[-1] in ("yes", "true", "on", "1", "ipv6")
        lines = [HEADER, "[Network]", f"DHCP={'ipv6' if keeps_dhcp6 else 'no'}"]
        lines += [f"Address={desired.address}", f"Gateway={desired.gateway}"]
        lines += [f"DNS={server}" for server in desired.dns or self.dns]
        return "".join(f"{line}\n" for line in lines)

    def move_aside(self) -> None:
        """Move a drop-in below /etc to a folder with less precedence."""
        present = files.read(self.persistent_path)
        if present is not None:
            files.write_file(self.earlier_path, present.content or b"", self.mode)
            os.unlink(self.persistent_path)

    def finish(self) -> None:
        """Delete the drop-in that was moved aside."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.earlier_path)


def link(interface: str) -> Mapping[str, str] | None:
    """Return networkd's record of an interface, None if it does not manage it."""
    record = _record(socket.if_nametoindex(interface))
    managed = record.get("ADMIN_STATE") in ("configured", "configuring") and record.get("NETWORK_FILE")
    return record if managed else None


def alone(interface: str, network_file: str) -> None:
    """Raise AddressError if other interfaces share the interface's file, and would share its address."""
    sharing = [name for number, name in socket.if_nameindex() if _record(number).get("NETWORK_FILE") == network_file]
    if sharing != [interface]:
        raise AddressError(
            f"{interface}: {network_file} configures {', '.join(sharing)}, which would all get one address. Next: "
            f"write a file for {interface} alone, run `networkctl reload`, then run this again."
        )


def find(interface: str) -> Renderer | None:
    """Return the interface's renderer if networkd manages it by a file of the owner, else None."""
    record = link(interface)
    if record is None:
        return None
    drop_in = f"systemd/network/{os.path.basename(record['NETWORK_FILE'])}.d/{DROP_IN}"
    persistent_path, earlier_path = f"/etc/{drop_in}", f"/usr/local/lib/{drop_in}"
    # While networkd restarts it accepts no commands, and it reads its files again by itself.
    activate = f"networkctl reload && networkctl reconfigure {interface} || systemctl restart systemd-networkd"
    return Networkd(
        interface=interface,
        program="systemd-networkd",
        source=record["NETWORK_FILE"],
        dns=servers(record),
        runtime_path=f"/run/{drop_in}",
        persistent_path=persistent_path,
        activate=activate,
        restore=(
            f"if [ -e {quote(earlier_path)} ]; then mv {quote(earlier_path)} {quote(persistent_path)}; fi\n{activate}"
        ),
        mode=0o644,
        earlier_path=earlier_path,
    )


def servers(link: Mapping[str, str]) -> tuple[str, ...]:
    """Return the name servers in force."""
    return tuple(link.get("DNS", "").split())


def configured(text: str) -> Configured:
    """Return the IPv4 settings of a .network file, or of several concatenated."""
    addresses, gateways, dhcp = set(), set(), False
    for name, pairs in sections(text):
        keys = dict(pairs)
        if name in ("Network", "Address"):
            addresses |= {value for key, value in pairs if key == "Address" and "." in value}
        if name == "Network":
            gateways |= {value for key, value in pairs if key == "Gateway" and "." in value}
            dhcp = keys.get("DHCP", "ipv4" if dhcp else "no").lower() in ("yes", "true", "on", "1", "ipv4")
        if name == "Route" and keys.get("Destination", "0.0.0.0/0") == "0.0.0.0/0" and "." in keys.get("Gateway", ""):
            gateways.add(keys["Gateway"])
    return Configured(frozenset(addresses), frozenset(gateways), dhcp)


def _files(source: str) -> list[tuple[str, str]]:
    """Return a .network file and its drop-ins except ours with their texts, the last takes precedence."""
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


def _record(number: int) -> Mapping[str, str]:
    try:
        with open(f"{LINKS}/{number}", encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except FileNotFoundError:
        return {}
