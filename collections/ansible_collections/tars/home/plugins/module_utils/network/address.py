# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPv4 address of an interface: what is, what has to change, and doing it by the program that looks after it.

One file of ours says what is wanted; the files of others stay as they are. Until it is confirmed it lies below /run,
which a reboot empties, and then below /etc. What it says and where exactly is the business of the renderers.
"""

from __future__ import annotations

import contextlib
import glob
import ipaddress
import json
import os
import re
import shlex
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from ..system import files as file_set
from . import netplan as address_netplan
from . import network_manager as address_network_manager
from . import networkd as address_networkd
from .renderer import AddressError, Renderer, Wish
from .rollback import Rollback, RollbackError, on_disk, run

UNWRITTEN = "written where a reboot loses it -> written to disk"


@dataclass(frozen=True)
class Interface:
    """An interface as it is: its hardware address, IPv4 addresses with their prefix lengths, and the router."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    gateway: str
    unconfirmed: bool = False


def interface(name: str, addresses: str, routes: str, unconfirmed: bool = False) -> Interface:
    """An interface out of `ip -json address show` and `ip -json -4 route show default`."""
    rows = json.loads(addresses or "[]")
    found = [entry for row in rows for entry in row.get("addr_info", []) if entry.get("family") == "inet"]
    gateways = [row["gateway"] for row in json.loads(routes or "[]") if "gateway" in row]
    return Interface(
        name=name,
        mac="".join(row.get("address", "") for row in rows),
        addresses=tuple(sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in found)),
        gateway=gateways[0] if gateways else "",
        unconfirmed=unconfirmed,
    )


def plan(current: Interface, wish: Wish) -> list[str]:
    """What has to change, in words."""
    changes = []
    if current.addresses != (wish.address,):
        changes.append(f"address {', '.join(current.addresses) or 'none'} -> {wish.address}")
    if current.gateway != wish.gateway:
        changes.append(f"gateway {current.gateway or 'none'} -> {wish.gateway}")
    if current.unconfirmed and not changes:
        changes.append(UNWRITTEN)
    return changes


def reservation(current: Interface, wish: Wish, host: str) -> str:
    """What the router must be told so that its DHCP server gives the machine this address and no other."""
    return f"reserve {wish.address.partition('/')[0]} for {host or current.name} ({current.mac}) in the router"


def read(name: str, renderer: Optional[Renderer] = None) -> Interface:
    """The interface as it is. Raises RollbackError where there is none of that name."""
    addresses = run(["ip", "-json", "address", "show", "dev", name])
    routes = run(["ip", "-json", "-4", "route", "show", "default", "dev", name])
    return interface(name, addresses, routes, renderer is not None and os.path.exists(renderer.below_run))


def look_up(name: str) -> Optional[Renderer]:
    """Who looks after the interface; None where that is nobody whom this knows to tell anything."""
    for find in (address_netplan.find, address_networkd.find, address_network_manager.find):
        found = find(name)
        if found is not None:
            return found
    return None


def refuse(current: Interface, wish: Wish, host: str) -> AddressError:
    """Why nothing can be changed where nobody known looks after the interface."""
    whose = ifupdown(current.name)
    who = (
        f"looked after by ifupdown ({whose})"
        if whose
        else "looked after neither by systemd-networkd nor NetworkManager"
    )
    return AddressError(
        f"{current.name} is {who}, and {'; '.join(plan(current, wish))} is wanted. Next: set it "
        f"{f'in {whose}' if whose else 'where it is set up'}, or {reservation(current, wish, host)}."
    )


def ifupdown(name: str) -> str:
    """The file in which ifupdown (interfaces(5)) is told about the interface; empty where there is none."""
    for path in ["/etc/network/interfaces", *sorted(glob.glob("/etc/network/interfaces.d/*"))]:
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            if re.search(rf"^\s*iface\s+{re.escape(name)}\s", file.read(), re.MULTILINE):
                return path
    return ""


def taken(address: str, current: Interface) -> str:
    """The hardware address of another machine that has the address; empty where nobody answers within 4 seconds.

    Only those on the link can be asked, and whoever has no address in a network is not on its link.
    """
    here = str(ipaddress.ip_interface(address).ip)
    if not any(ipaddress.ip_address(here) in ipaddress.ip_interface(own).network for own in current.addresses):
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        # The discard port: the question before it, who has that address, is the one that counts.
        sock.sendto(b"", (here, 9))
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        for row in json.loads(run(["ip", "-json", "neighbour", "show", "to", here, "dev", current.name]) or "[]"):
            if "lladdr" in row:
                return str(row["lladdr"])
            if "FAILED" in row.get("state", []):
                return ""
        time.sleep(0.2)
    return ""


def move(rollback: Rollback, renderer: Renderer, text: str, seconds: int, token: str) -> None:
    """Give the machine its address a moment after this returns, for so many seconds, unless that is confirmed."""
    renderer.make_way()
    undo = f"rm -f {shlex.quote(renderer.below_run)}\n{renderer.back}"
    rollback.arm(undo, seconds, token, on_disk(renderer.below_etc, text))
    with rollback.guarded(token):
        _write(renderer.below_run, text, renderer.mode)
    # The answer of this call has to reach the controller over the address that goes.
    rollback.later(token, renderer.renew, after_s=2)


def persist(renderer: Renderer) -> None:
    """Write what is in force to disk."""
    # Whoever did this before may have died on the way.
    if os.path.exists(renderer.below_run) or not os.path.exists(renderer.below_etc):
        with open(renderer.below_run, encoding="utf-8") as file:
            _write(renderer.below_etc, file.read(), renderer.mode)
        os.unlink(renderer.below_run)
    renderer.settle()


def arrived(name: str, wish: Wish, waiting: Callable[[], object], patience_s: float = 20) -> Renderer:
    """The interface's renderer once it is as wished. Raises AddressError where it does not get there, and what
    `waiting` raises once the change is undone.
    """
    deadline = time.monotonic() + patience_s
    while True:
        waiting()
        renderer = look_up(name)
        left = plan(read(name, renderer), wish)
        if renderer is not None and left in ([], [UNWRITTEN]):
            return renderer
        if time.monotonic() > deadline:
            raise AddressError(
                f"{name} has not come to {wish.address}: {'; '.join(left)}. The machine undoes the change by itself. "
                f"Next: see the journal of {renderer.program if renderer else 'the program that looks after it'}."
            )
        time.sleep(0.3)


def _write(path: str, text: str, mode: int) -> None:
    try:
        file_set.write_file(path, text, mode)
    except OSError as error:
        raise RollbackError(f"{path}: {error.strerror}. What is not confirmed undoes itself.") from error
