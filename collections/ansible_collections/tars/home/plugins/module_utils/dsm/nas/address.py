# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for a NAS at several addresses, and giving it another one.

The write was recorded from DSM 7.2.1's own page and refused in every other form by DSM 7.3; no public source shows it
carried out. So nothing here believes an answer: what counts is who answers where afterwards.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ...resource.errors import Incomplete
from ..client.client import Client
from ..ensure import connect
from ..errors import ApiError, ConnectionLost, DsmError, Unreachable
from ..plans import address as address_plan
from ..plans.address import NAS, OTHER, REFUSED, SILENT, Change, Desired, Place, Ports, Sighting
from ..values import PlanError
from .storage import system

ETHERNET = "SYNO.Core.Network.Ethernet"
AUTH = "SYNO.API.Auth"
# DSM is still at another change of its network and did nothing.
APPLYING = frozenset({4316, 4340})
PROBE_S = 3.0
PAUSE_S = 2.0


@dataclass(frozen=True)
class View:
    """A sighting and, where it is a NAS, its ports and the address that it answered from."""

    sighting: Sighting
    ports: Ports
    peer: str = ""


Look = Callable[[str], View]


class Watch:
    """Looks at addresses with one login each. `client` is the one at `host`; the others' sessions stay in memory."""

    def __init__(self, params: Mapping[str, Any], client: Client) -> None:
        self._params = params
        self._clients = {params["host"]: client}

    def client(self, address: str) -> Client:
        if address not in self._clients:
            kept = self._params["session_file"] if address == self._params["host"] else None
            self._clients[address] = connect({**self._params, "host": address, "session_file": kept})
        return self._clients[address]

    def forget(self, address: str) -> None:
        """Log in anew at the next look: what is known of the session there no longer counts, nor can it be ended."""
        gone = self._clients.pop(address, None)
        if gone is not None:
            gone.transport.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.__exit__(None, None, None)

    def __call__(self, address: str) -> View:
        """Who answers there. A refused login is raised, and so never tried again."""
        kind = probe(address, self._params["port"])
        if kind != NAS:
            return View(Sighting(address, kind), {})
        client = self.client(address)
        try:
            serial = str(system(client)["serial"])
            return View(Sighting(address, NAS, serial), ports(client), client.transport.addresses()[1])
        except (Unreachable, ConnectionLost) as error:
            return View(Sighting(address, REFUSED, detail=str(error)), {})
        except DsmError as error:
            if isinstance(error, ApiError) and error.api == AUTH:
                raise
            return View(Sighting(address, OTHER, detail=str(error)), {})


def ports(client: Client) -> Ports:
    """Every network interface by its name."""
    return address_plan.from_api(client.read(ETHERNET, "list", 2))


def probe(address: str, port: int) -> str:
    """NAS where something takes connections, REFUSED where a machine turns them down, SILENT where none answers."""
    try:
        socket.create_connection((address, port), PROBE_S).close()
    except ConnectionRefusedError:
        return REFUSED
    except OSError:
        return SILENT
    return NAS


def numeric(host: str) -> str:
    """The IPv4 address of a host, empty where its name has none."""
    with contextlib.suppress(OSError):
        return socket.gethostbyname(host)
    return ""


def send(client: Client, change: Change) -> Optional[ConnectionLost]:
    """Ask for the change. None, or the loss of the connection, which says nothing about the outcome."""
    try:
        payload = {"configs": [address_plan.to_api(change)]}
        client.write(ETHERNET, "set", 1, payload, f"interface {change.port.name}", busy=APPLYING)
    except ConnectionLost as error:
        return error
    except ApiError as error:
        if error.code != 4302:
            raise
        raise DsmError(
            f"{error} Nothing was changed: this DSM does not take the only form of the call that is known. Set the "
            f"address in Control Panel > Network > Network Interface > {change.port.name} > Edit > IPv4, then run "
            "again; or reserve it for the NAS in the router's DHCP server."
        ) from error
    return None


def settle(
    look: Look,
    change: Change,
    wish: Desired,
    serial: str,
    at: str,
    old: str,
    deadline_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Ports:
    """The ports of the NAS once it answers at `at` with this serial number and the wish come true.

    Raises Incomplete after `deadline_s` seconds, saying what is known of that address and of the `old` one. The change
    counts as done unless the NAS is known to be as before.
    """
    end = clock() + deadline_s
    while True:
        view = look(at)
        if view.sighting.kind == NAS and view.sighting.serial == serial:
            # Asked about its place again, it would be the connection's that no longer is.
            here = Place(change.port.name, change.port.ip, may_move=True)
            with contextlib.suppress(PlanError):
                if not address_plan.plan(view.ports, wish, here):
                    return view.ports
        if clock() >= end:
            break
        sleep(PAUSE_S)
    before = view if old == at else look(old)
    stayed = before.sighting.kind == NAS and before.sighting.serial == serial
    as_before = stayed and before.ports.get(change.before.name) == change.before
    found = [_told(view, change)] + ([_told(before, change)] if old != at else [])
    raise Incomplete(
        f"wanted {change.port.name} of the NAS with serial number {serial} to be {change.port.ip} within "
        f"{deadline_s:.0f} s. Found: {'; '.join(found)}. {_next_step(as_before, stayed)}",
        [] if as_before else [str(change)],
    )


def _told(view: View, change: Change) -> str:
    port = view.ports.get(change.port.name)
    if port is None:
        return str(view.sighting)
    how = "by DHCP" if port.use_dhcp else "static"
    return f"{view.sighting}, its {port.name} is {port.ip or 'without an address'} ({how})"


def _next_step(as_before: bool, stayed: bool) -> str:
    if as_before:
        return "Nothing was changed. Set the address by hand in Control Panel > Network > Network Interface."
    if stayed:
        return "Look at Control Panel > Network > Network Interface."
    return (
        "Whether it took the address is not known. Look for the NAS with find.synology.com or in the router, and "
        "correct its address there. The last resort is "
        "its reset button, held for 4 seconds until the beep: network and administrator's login go back to the "
        "defaults, the data stay."
    )
