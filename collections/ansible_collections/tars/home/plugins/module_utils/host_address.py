# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPv4 address of an interface that systemd-networkd looks after: what is, what has to change, and doing it.

A drop-in beside the file that networkd uses for the interface says all that is wanted; whatever else that file says
(IPv6 above all) stays. Until it is confirmed it lies below /run, which a reboot empties, and then at the same place
below /etc.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from . import file_set
from .rollback import Rollback, RollbackError, run

DROP_IN = "zz-tars.conf"
"""By its name the last of the drop-ins, whose word counts."""


class AddressError(Exception):
    """The address cannot be as wished. The message names the interface, what was found and the next step."""


@dataclass(frozen=True)
class Interface:
    """An interface as it is: IPv4 addresses with their prefix lengths, and what networkd says of it."""

    name: str
    addresses: tuple[str, ...]
    dynamic: bool
    gateway: str
    network_file: str
    dns: tuple[str, ...] = ()
    managed: bool = True
    unconfirmed: bool = False


@dataclass(frozen=True)
class Wish:
    """The one IPv4 address with its prefix length, the router, and name servers (empty: those it has)."""

    address: str
    gateway: str
    dns: tuple[str, ...] = ()


def interface(name: str, addresses: str, routes: str, link: Mapping[str, str], unconfirmed: bool = False) -> Interface:
    """An interface out of `ip -json -4 address show`, `ip -json -4 route show default` and networkd's link file."""
    found = [entry for row in json.loads(addresses or "[]") for entry in row.get("addr_info", [])]
    gateways = [row["gateway"] for row in json.loads(routes or "[]") if "gateway" in row]
    return Interface(
        name=name,
        addresses=tuple(sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in found)),
        dynamic=any(entry.get("dynamic", False) for entry in found),
        gateway=gateways[0] if gateways else "",
        network_file=link.get("NETWORK_FILE", ""),
        dns=tuple(link.get("DNS", "").split()),
        managed=link.get("ADMIN_STATE") in ("configured", "configuring") and bool(link.get("NETWORK_FILE")),
        unconfirmed=unconfirmed,
    )


def plan(current: Interface, wish: Wish) -> list[str]:
    """What has to change, in words. Raises AddressError where this cannot be done from here."""
    changes = []
    if current.addresses != (wish.address,):
        changes.append(f"address {', '.join(current.addresses) or 'none'} -> {wish.address}")
    if current.gateway != wish.gateway:
        changes.append(f"gateway {current.gateway or 'none'} -> {wish.gateway}")
    if current.unconfirmed and not changes:
        changes.append("written where a reboot loses it -> written to disk")
    if changes and not current.managed:
        raise AddressError(
            f"{current.name} is not looked after by systemd-networkd, and {'; '.join(changes)} is wanted. Next: set it "
            "in the program that does (NetworkManager, netplan, ifupdown), or reserve the address for it in the router."
        )
    if current.addresses and not current.dynamic and changes and not changes[0].startswith("written where"):
        # What another file says of addresses adds to what a drop-in says; it does not give way.
        raise AddressError(
            f"{current.name} has static addresses, and {'; '.join(changes)} is wanted. Next: have "
            f"{current.network_file} say DHCP=ipv4 and no such address, run `networkctl reload`, then this again."
        )
    return changes


def drop_in(current: Interface, wish: Wish, keeps_dhcp6: bool) -> str:
    """The text of the drop-in. Name servers that came with a lease stay when the lease goes."""
    lines = ["# Written by tars.home.host_address, changes are lost.", "[Network]"]
    lines += [f"DHCP={'ipv6' if keeps_dhcp6 else 'no'}", f"Address={wish.address}", f"Gateway={wish.gateway}"]
    lines += [f"DNS={server}" for server in wish.dns or current.dns]
    return "".join(f"{line}\n" for line in lines)


def read(name: str) -> Interface:
    """The interface as it is. Raises RollbackError where there is none of that name."""
    addresses = run(["ip", "-json", "-4", "address", "show", "dev", name])
    routes = run(["ip", "-json", "-4", "route", "show", "default", "dev", name])
    link: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError), open(_link(name), encoding="utf-8") as file:
        link = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    found = interface(name, addresses, routes, link)
    unconfirmed = bool(found.network_file) and os.path.exists(_place("/run", found))
    return interface(name, addresses, routes, link, unconfirmed)


def taken(address: str, name: str) -> str:
    """The hardware address of another machine that has the address; empty where nobody answers within 4 seconds."""
    here = str(ipaddress.ip_interface(address).ip)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        # The discard port: the question before it, who has that address, is the one that counts.
        sock.sendto(b"", (here, 9))
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        for row in json.loads(run(["ip", "-json", "neighbour", "show", "to", here, "dev", name]) or "[]"):
            if "lladdr" in row:
                return str(row["lladdr"])
            if "FAILED" in row.get("state", []):
                return ""
        time.sleep(0.2)
    return ""


def move(rollback: Rollback, current: Interface, wish: Wish, seconds: int, token: str) -> None:
    """Give the machine its address a moment after this returns, for so many seconds, unless that is confirmed."""
    place = _place("/run", current)
    renew = f"networkctl reload\nnetworkctl reconfigure {current.name}"
    rollback.arm(f"rm -f {place}\n{renew}", seconds, token)
    _write(place, drop_in(current, wish, _keeps_dhcp6(current.network_file)))
    # The answer of this call has to reach the controller over the address that goes.
    rollback.later(token, renew, after_s=2)


def persist(current: Interface) -> None:
    """Write what is in force to disk."""
    below_run = _place("/run", current)
    with open(below_run, encoding="utf-8") as file:
        text = file.read()
    _write(_place("/etc", current), text)
    os.unlink(below_run)


def arrived(name: str, wish: Wish, patience_s: float = 20) -> Interface:
    """The interface once it is as wished. Raises AddressError where it does not get there."""
    deadline = time.monotonic() + patience_s
    while True:
        found = read(name)
        left = plan(found, wish)
        if not left or left[0].startswith("written where"):
            return found
        if time.monotonic() > deadline:
            raise AddressError(
                f"{name} has not come to {wish.address}: {'; '.join(left)}. The machine undoes the change by itself. "
                f"Next: journalctl --unit=systemd-networkd, and what {found.network_file} says."
            )
        time.sleep(0.3)


def _keeps_dhcp6(network_file: str) -> bool:
    with open(network_file, encoding="utf-8") as file:
        said = [line.strip().lower() for line in file if line.strip().lower().startswith("dhcp=")]
    return bool(said) and said[-1] in ("dhcp=yes", "dhcp=true", "dhcp=ipv6")


def _link(name: str) -> str:
    return f"/run/systemd/netif/links/{socket.if_nametoindex(name)}"


def _place(root: str, current: Interface) -> str:
    return f"{root}/systemd/network/{os.path.basename(current.network_file)}.d/{DROP_IN}"


def _write(path: str, text: str) -> None:
    try:
        file_set.apply(file_set.Change(file_set.Entry(path, 0, 0, 0o644, text.encode()), ("create",)))
    except OSError as error:
        raise RollbackError(f"{path}: {error.strerror}. What is not confirmed undoes itself.") from error
