# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a NAS at several addresses, and give one of its interfaces another one.

The write was recorded from DSM 7.2.1's own page and refused in every other form by DSM 7.3; no public source shows it
carried out. So its answer proves nothing: what counts is which NAS answers at which address afterwards.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...resource.converge import Resource
from ...resource.errors import Incomplete, unknown
from .. import calls
from ..client.client import Client
from ..ensure import connect
from ..errors import ApiError, ConnectionLostError, DsmError, UnreachableError
from ..plans import address as address_plan
from ..plans.address import NAS, OTHER, REFUSED, SILENT, Change, Desired, Place, Ports, Sighting
from ..values import PlanError
from .system import identity

# DSM is still applying another change of its network and did nothing.
APPLYING = frozenset({4316, 4340})
CONNECT_S = 3.0
PAUSE_S = 2.0


@dataclass(frozen=True)
class View:
    """A sighting and, if it is a NAS, its ports and the address that it answered from."""

    sighting: Sighting
    ports: Ports
    peer: str = ""


@dataclass(frozen=True)
class Location:
    """The state of the resource: the address at which the NAS answers, its ports, and the connection's place."""

    address: str
    ports: Ports
    place: Place


Observe = Callable[[str], View]


class Observer:
    """Observes addresses, with one login each. `client` is the one at `host`; other sessions stay in memory."""

    def __init__(self, params: Mapping[str, Any], client: Client) -> None:
        self._params = params
        self._clients = {params["host"]: client}

    def client(self, address: str) -> Client:
        """Return the client for an address."""
        if address not in self._clients:
            kept = self._params["session_file"] if address == self._params["host"] else None
            self._clients[address] = connect({**self._params, "host": address, "session_file": kept})
        return self._clients[address]

    def forget(self, address: str) -> None:
        """Log in again at the next observation: the session at this address is void, and cannot be ended either."""
        client = self._clients.pop(address, None)
        if client is not None:
            client.transport.close()

    def close(self) -> None:
        """End all sessions but the one in the session file."""
        for client in self._clients.values():
            client.__exit__(None, None, None)

    def __call__(self, address: str) -> View:
        """Return what answers at an address. A refused login is raised, so that it is never repeated."""
        kind = knock(address, self._params["port"])
        if kind != NAS:
            return View(Sighting(address, kind), {})
        client = self.client(address)
        try:
            serial = str(identity(client)["serial"])
            return View(Sighting(address, NAS, serial), ports(client), client.transport.addresses()[1])
        except (UnreachableError, ConnectionLostError) as error:
            return View(Sighting(address, REFUSED, detail=str(error)), {})
        except DsmError as error:
            if isinstance(error, ApiError) and error.api == calls.LOGIN.api:
                raise
            return View(Sighting(address, OTHER, detail=str(error)), {})


def ports(client: Client) -> Ports:
    """Return every network interface by its name."""
    return address_plan.from_api(client.read(calls.ETHERNET_LIST))


def knock(address: str, port: int) -> str:
    """Return NAS if something accepts connections, REFUSED if a machine rejects them, SILENT if nothing answers."""
    try:
        socket.create_connection((address, port), CONNECT_S).close()
    except ConnectionRefusedError:
        return REFUSED
    except OSError:
        return SILENT
    return NAS


def numeric(host: str) -> str:
    """Return the IPv4 address of a host, empty if its name has none."""
    with contextlib.suppress(OSError):
        return socket.gethostbyname(host)
    return ""


def address_resource(observer: Observer, params: Mapping[str, Any]) -> Resource[Location, Change]:
    """Return the address of an interface as a resource; `params` are the module's."""
    desired = Desired(params["address"], params["prefix"], params["gateway"], params["interface"] or "")
    located: list[Location] = []
    moved: list[Location] = []

    def read() -> Location:
        located[:] = moved or [locate(observer, params)]
        return located[0]

    def write(changes: Sequence[Change]) -> None:
        (change,), (before,) = changes, located
        send(observer.client(before.address), change)
        observer.forget(before.address)
        over_connection = change.port.name == (before.place.carrier or change.port.name)
        address = params["host"] if over_connection else before.address
        try:
            after = settle(
                observer, change, desired, params["serial"], address, before.address, float(params["deadline"])
            )
        except ApiError as error:
            # The login at the new address was refused.
            raise unknown(str(error), [str(change)]) from error
        moved.append(Location(address, after, _place_after(change)))

    return Resource(
        read=read,
        plan=lambda location: address_plan.plan(location.ports, desired, location.place),
        predict=lambda location, changes: replace(location, ports=address_plan.predict(location.ports, changes)),
        write=write,
        show=lambda location: address_plan.to_dict(location.ports),
    )


def locate(observe: Observe, params: Mapping[str, Any]) -> Location:
    """Find the NAS at `host`, or if nothing answers there at `found_at`. Raises PlanError if it is at neither."""
    view = observe(params["host"])
    elsewhere = observe(params["found_at"]) if view.sighting.kind == SILENT and params["found_at"] else None
    address = address_plan.choose(view.sighting, elsewhere.sighting if elsewhere else None, params["serial"]).address
    if elsewhere and address == elsewhere.sighting.address:
        view = elsewhere
    place = Place(address_plan.carrier(view.ports, view.peer), numeric(params["host"]), params["move_connection"])
    return Location(address, view.ports, place)


def _place_after(change: Change) -> Place:
    """Return the place of the connection after the change, which the carrier of the old one may have left."""
    return Place(change.port.name, change.port.ip, may_move=True)


def send(client: Client, change: Change) -> ConnectionLostError | None:
    """Ask for the change. Returns the loss of the connection, which proves nothing about the outcome, or None."""
    try:
        payload = {"configs": [address_plan.to_api(change)]}
        client.write(calls.ETHERNET_SET, payload, f"interface {change.port.name}", busy=APPLYING)
    except ConnectionLostError as error:
        return error
    except ApiError as error:
        if error.code != 4302:
            raise
        raise DsmError(
            f"{error} Nothing was changed: this DSM does not accept the only form of the call that is known. Set the "
            f"address in Control Panel > Network > Network Interface > {change.port.name} > Edit > IPv4, then run "
            "again; or reserve it for the NAS in the router's DHCP server."
        ) from error
    return None


def settle(
    observe: Observe,
    change: Change,
    desired: Desired,
    serial: str,
    address: str,
    old_address: str,
    deadline_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Ports:
    """Wait until the NAS answers at `address` with this serial number and has the desired address; return its ports.

    Raises:
        Incomplete: it does not within `deadline_s` seconds. The message names what answers at both addresses. The
            change counts as made unless the NAS is known to be as before.
    """
    end = clock() + deadline_s
    while True:
        view = observe(address)
        if view.sighting.kind == NAS and view.sighting.serial == serial:
            with contextlib.suppress(PlanError):
                if not address_plan.plan(view.ports, desired, _place_after(change)):
                    return view.ports
        if clock() >= end:
            break
        sleep(PAUSE_S)
    before = view if old_address == address else observe(old_address)
    stayed = before.sighting.kind == NAS and before.sighting.serial == serial
    unchanged = stayed and before.ports.get(change.before.name) == change.before
    views = [view] if old_address == address else [view, before]
    raise Incomplete(
        f"{change.port.name} of the NAS {serial}: expected {change.port.ip} within {deadline_s:.0f} s, "
        f"found {'; '.join(_describe(item, change) for item in views)}. {_next_step(unchanged, stayed)}",
        [] if unchanged else [str(change)],
    )


def _describe(view: View, change: Change) -> str:
    port = view.ports.get(change.port.name)
    if port is None:
        return str(view.sighting)
    how = "by DHCP" if port.use_dhcp else "static"
    return f"{view.sighting}, its {port.name} is {port.ip or 'without an address'} ({how})"


def _next_step(unchanged: bool, stayed: bool) -> str:
    if unchanged:
        return "Nothing was changed. Set the address in Control Panel > Network > Network Interface."
    if stayed:
        return "Check Control Panel > Network > Network Interface."
    return (
        "It is not known whether the NAS has the new address. Find the NAS with find.synology.com or in the router's "
        "list, and correct its address there. The last resort is its reset button, held for 4 seconds until the beep: "
        "network and administrator login return to the defaults, the data stays."
    )
