# SPDX-License-Identifier: GPL-3.0-or-later
"""The IPv4 address of an interface: read it, plan the changes, and write them for the program that manages it.

One file of ours has the desired settings; the files of others stay as they are. Until it is confirmed it is below /run,
which a reboot empties, and then below /etc. The renderers define its text and its exact path.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import ipaddress
import json
import os
import re
import shlex
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..resource.converge import Pending, Probe, Resource
from ..resource.errors import explain
from ..system import files
from ..system.probing import combined, parts
from ..system.process import run
from . import interfaces, netplan, network_manager, networkd
from .renderer import AddressError, Desired, Renderer
from .rollback import ROOT, Rollback, RollbackError, on_disk

UNWRITTEN = "written where a reboot loses it -> written to disk"


@dataclass(frozen=True)
class Interface:
    """An interface: its hardware address, IPv4 addresses with their prefix lengths, and the router.

    `unconfirmed` is whether its address is in force, but only until the next boot.
    """

    name: str
    mac: str
    addresses: tuple[str, ...]
    gateway: str
    unconfirmed: bool = False


def resource(
    name: str, desired: Desired, host: str = "", deadline_s: int = 60, token: str = ""
) -> Resource[Interface, str]:
    """Return the address of an interface as a resource.

    A new address is in force for `deadline_s` seconds, until it is confirmed by the `token` of this change. `host` is
    the name of the machine for the router.
    """
    return Resource(
        read=lambda: read(name, find_renderer(name)),
        plan=lambda current: plan(current, desired),
        predict=lambda current, changes: predict(current, desired, changes),
        write=lambda changes: write(name, desired, changes, deadline_s, token),
        show=lambda current: {"reservation": reservation(current, desired, host)},
        probe=probe(name),
        diff=diff,
    )


def parse_interface(name: str, addresses: str, routes: str, unconfirmed: bool = False) -> Interface:
    """Return an interface by the output of `ip -json address show` and `ip -json -4 route show default`."""
    rows = json.loads(addresses or "[]")
    inet = [entry for row in rows for entry in row.get("addr_info", []) if entry.get("family") == "inet"]
    gateways = [row["gateway"] for row in json.loads(routes or "[]") if "gateway" in row]
    return Interface(
        name=name,
        mac="".join(row.get("address", "") for row in rows),
        addresses=tuple(sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in inet)),
        gateway=gateways[0] if gateways else "",
        unconfirmed=unconfirmed,
    )


def plan(current: Interface, desired: Desired) -> list[str]:
    """Return the changes in words."""
    changes = []
    if current.addresses != (desired.address,):
        changes.append(f"address {', '.join(current.addresses) or 'none'} -> {desired.address}")
    if current.gateway != desired.gateway:
        changes.append(f"gateway {current.gateway or 'none'} -> {desired.gateway}")
    if current.unconfirmed and not changes:
        changes.append(UNWRITTEN)
    return changes


def predict(current: Interface, desired: Desired, changes: Sequence[str]) -> Interface:
    """Return the interface after the changes."""
    if not changes:
        return current
    return dataclasses.replace(current, addresses=(desired.address,), gateway=desired.gateway, unconfirmed=False)


def diff(before: Interface, after: Interface) -> dict[str, str]:
    """Return Ansible's diff of the addresses and the default route."""
    texts = [
        "".join(f"{line}\n" for line in (*state.addresses, f"default via {state.gateway or 'none'}"))
        for state in (before, after)
    ]
    return {"before": texts[0], "after": texts[1]}


def reservation(current: Interface, desired: Desired, host: str) -> str:
    """Return the DHCP reservation by which the router gives the machine this address and no other."""
    return f"reserve {desired.address.partition('/')[0]} for {host or current.name} ({current.mac}) in the router"


def _commands(name: str) -> list[list[str]]:
    addresses = ["ip", "-json", "address", "show", "dev", name]
    return [addresses, ["ip", "-json", "-4", "route", "show", "default", "dev", name]]


def read(name: str, renderer: Renderer | None = None) -> Interface:
    """Return the interface. Raises InterfaceError if the machine does not have it."""
    interfaces.require(name)
    addresses, routes = (run(command) for command in _commands(name))
    return parse_interface(name, addresses, routes, renderer is not None and os.path.exists(renderer.runtime_path))


def probe(name: str) -> Probe[Interface]:
    """Return the command that reads the interface, and lists files of a change that was not confirmed."""
    patterns = [
        f"{ROOT}/address/armed",
        f"/run/netplan/{netplan.file_name(name)}",
        f"/run/{network_manager.PROFILES}/{network_manager.file_name(name)}",
        f"/run/systemd/network/*.network.d/{networkd.DROP_IN}",
    ]
    unconfirmed = ["sh", "-c", f'for file in {" ".join(patterns)}; do [ ! -e "$file" ] || echo "$file"; done']
    return Probe(combined(*_commands(name), unconfirmed), lambda status, output: parse(name, output))


def parse(name: str, output: str) -> Interface | None:
    """Return the interface by the output of the probe; None if it is missing, or a change was not confirmed."""
    results = parts(output)
    if len(results) != 3 or any(part.status for part in results) or results[2].output:
        return None
    return parse_interface(name, results[0].output, results[1].output)


def find_renderer(name: str) -> Renderer | None:
    """Return the network manager in charge of the interface, None if unsupported."""
    interfaces.require(name)
    for find in (netplan.find, networkd.find, network_manager.find):
        renderer = find(name)
        if renderer is not None:
            return renderer
    return None


def unmanaged(current: Interface, desired: Desired, host: str) -> AddressError:
    """Return the failure where no supported program manages the interface."""
    file = ifupdown(current.name)
    manager = f"ifupdown ({file}), which is not supported" if file else "neither systemd-networkd nor NetworkManager"
    return AddressError(
        f"{current.name} is managed by {manager}; expected changes: {'; '.join(plan(current, desired))}. Next: set it "
        f"{f'in {file}' if file else 'where it is configured'}, or {reservation(current, desired, host)}."
    )


def ifupdown(name: str) -> str:
    """Return the file that configures the interface for ifupdown (interfaces(5)), empty if there is none."""
    for path in ["/etc/network/interfaces", *sorted(glob.glob("/etc/network/interfaces.d/*"))]:
        with contextlib.suppress(OSError):
            if re.search(rf"^\s*iface\s+{re.escape(name)}\s", files.text(path), re.MULTILINE):
                return path
    return ""


def other_owner(address: str, current: Interface) -> str:
    """Return the hardware address of another machine that has the address; empty if none answers within 4 seconds.

    Only machines on the link can be asked, and a machine without an address in a network is not on its link.
    """
    target = str(ipaddress.ip_interface(address).ip)
    if not any(ipaddress.ip_address(target) in ipaddress.ip_interface(own).network for own in current.addresses):
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        # The discard port: only the ARP request that comes before the packet matters.
        sock.sendto(b"", (target, 9))
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        for row in json.loads(run(["ip", "-json", "neighbour", "show", "to", target, "dev", current.name]) or "[]"):
            if "lladdr" in row:
                return str(row["lladdr"])
            if "FAILED" in row.get("state", []):
                return ""
        time.sleep(0.2)
    return ""


def require_possible(name: str, desired: Desired, host: str) -> None:
    """Raise AddressError if the address has to be changed and cannot be.

    No supported program manages the interface, another machine has the address, or other files contradict it.
    """
    renderer = find_renderer(name)
    current = read(name, renderer)
    changes = plan(current, desired)
    if not changes:
        return
    if renderer is None:
        raise unmanaged(current, desired, host)
    if changes == [UNWRITTEN]:
        return
    owner = "" if desired.address in current.addresses else other_owner(desired.address, current)
    if owner:
        raise AddressError(f"{desired.address} is taken: {owner} answers for it. Next: free it, or choose another.")
    renderer.text(desired)


def require_reserved(current: Interface, desired: Desired, host: str) -> None:
    """Raise AddressError unless the router has given the interface the address."""
    if desired.address not in current.addresses:
        raise AddressError(
            f"{current.name}: found {', '.join(current.addresses) or 'no address'}, expected {desired.address} from "
            f"the router. Next: {reservation(current, desired, host)}; then restart the machine, and run again."
        )


def refuse_armed(rollback: Rollback, name: str) -> None:
    """Raise AddressError while an earlier change waits for its confirmation."""
    earlier = rollback.armed()
    if earlier is None:
        return
    if earlier["until"] + 10 < time.monotonic():
        # Its timer is gone, so nothing else would undo it.
        rollback.undo()
    raise AddressError(
        f"An earlier change of {name}'s address waits for its confirmation and undoes itself. "
        "Next: run again in a minute."
    )


def write(name: str, desired: Desired, changes: Sequence[str], deadline_s: int, token: str) -> Pending | None:
    """Make the changes. Pending where a new address comes into force, until it is confirmed."""
    renderer = find_renderer(name)
    if renderer is None:
        raise AddressError(f"{name} is managed by no supported program any more. Next: run again.")
    if list(changes) == [UNWRITTEN]:
        persist(renderer)
        return None
    move(Rollback("address"), renderer, renderer.text(desired), deadline_s, token)
    return Pending({"armed": True, "deadline_s": deadline_s})


def move(rollback: Rollback, renderer: Renderer, text: str, deadline_s: int, token: str) -> None:
    """Put the address into force a moment after this returns, for so many seconds, unless it is confirmed."""
    renderer.move_aside()
    undo = f"rm -f {shlex.quote(renderer.runtime_path)}\n{renderer.restore}"
    rollback.arm(undo, deadline_s, token, on_disk(renderer.persistent_path, text))
    with rollback.guarded(token):
        _write(renderer.runtime_path, text, renderer.mode)
    # The answer of this call has to reach the controller over the old address.
    rollback.later(token, renderer.activate, after_s=2)


def confirm(name: str, desired: Desired, token: str) -> None:
    """Keep the change of this token: write it to disk, and disarm the rollback.

    Raises:
        RollbackError: the change is undone already, or this is the connection that it came over.
        AddressError: the interface did not get the address.
    """
    rollback = Rollback("address")
    if not rollback.kept(token):
        renderer = arrived(name, desired, lambda: rollback.waiting(token))
        rollback.confirm(token, lambda: persist(renderer))


def persist(renderer: Renderer) -> None:
    """Write the settings in force to disk."""
    # A process that did this before may have died half-way.
    if os.path.exists(renderer.runtime_path) or not os.path.exists(renderer.persistent_path):
        with open(renderer.runtime_path, encoding="utf-8") as file:
            _write(renderer.persistent_path, file.read(), renderer.mode)
        os.unlink(renderer.runtime_path)
    renderer.finish()


def arrived(name: str, desired: Desired, waiting: Callable[[], object], timeout_s: float = 20) -> Renderer:
    """Wait until the interface has the desired settings, and return its renderer.

    Raises AddressError if it does not get them in time, and what `waiting` raises once the change is undone.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        waiting()
        renderer = find_renderer(name)
        left = plan(read(name, renderer), desired)
        if renderer is not None and left in ([], [UNWRITTEN]):
            return renderer
        if time.monotonic() > deadline:
            raise AddressError(
                f"{name} did not get {desired.address}: {'; '.join(left)}. The machine undoes the change by itself. "
                f"Next: read the journal of {renderer.program if renderer else 'the program that manages it'}."
            )
        time.sleep(0.3)


def _write(path: str, text: str, mode: int) -> None:
    try:
        files.write_file(path, text, mode)
    except OSError as error:
        raise RollbackError(f"{explain(error)} An unconfirmed change is undone by the machine.") from error
