# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_address against a NAS that behaves like DSM, on loopback: what it refuses, and what it reports afterwards.

On loopback every address belongs to this computer, so that none is free to move to; the lab has such addresses.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tars_lab.dsm_twin.interfaces import SETTINGS, Ipv4, parse

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

SERIAL = "LAB0000001"
SECOND = {"serial": SERIAL, "interface": "eth1", "address": "10.9.0.20", "gateway": "", "deadline": 30}
OVER = "SYNO.Core.Network.Ethernet.set"


def port(twin: Twin, name: str) -> Ipv4 | None:
    file = twin.root / SETTINGS.format(name)
    return parse(file.read_text()) if file.exists() else None


def refused(twin: Twin, **options: Any) -> str:
    """The message of a run that fails before anything was sent."""
    result = twin.run("dsm_address", **{"serial": SERIAL, "address": "127.0.0.2", "deadline": 1, **options})
    assert (result["failed"], bool(result.get("changed"))) == (True, False), result
    assert not twin.count(OVER)
    return str(result["msg"])


def test_check_then_run_then_run_again(twin: Twin) -> None:
    planned = twin.run("dsm_address", check=True, **SECOND)
    assert planned["changes"] == ["set eth1 to 10.9.0.20/24, gateway none"]
    assert port(twin, "eth1") is None
    done = twin.run("dsm_address", **SECOND)
    for key in ("changed", "changes", "diff", "interfaces", "answers_at"):
        assert planned[key] == done[key]
    assert port(twin, "eth1") == Ipv4(False, "10.9.0.20", "255.255.255.0")
    second = twin.run("dsm_address", **SECOND)
    assert (second["changed"], second["changes"], twin.count(OVER)) == (False, [], 0)


def test_the_interface_under_the_connection_needs_leave(twin: Twin) -> None:
    message = refused(twin, address="127.0.0.1", prefix=16, gateway="")
    assert "eth0 carries the connection" in message and "move_connection" in message
    leave = {"serial": SERIAL, "address": "127.0.0.1", "prefix": 16, "gateway": "", "move_connection": True}
    done = twin.run("dsm_address", **leave)
    assert done["changed"] and done["interfaces"]["eth0"]["mask"] == "255.255.0.0"


def test_another_serial_number_is_another_nas(twin: Twin) -> None:
    message = refused(twin, serial="LAB0000002", interface="eth1")
    assert "serial number LAB0000001 answers" in message and "expected the NAS with serial number LAB0000002" in message


@pytest.fixture
def neighbour(twin: Twin) -> Iterator[str]:
    """The address of a machine that takes connections on the NAS's port and is not the NAS."""
    with socket.create_server(("127.0.0.3", twin.port)) as server:
        server.settimeout(0)
        yield "127.0.0.3"


def test_an_address_that_another_machine_has_is_left_to_it(twin: Twin, neighbour: str) -> None:
    arguments = {"found_at": "127.0.0.1", "move_connection": True}
    # Nothing listens there, but the machine rejects the connection: it exists.
    message = refused(twin, host="127.0.0.2", **arguments)
    assert "127.0.0.2: a machine answers, but not as a NAS: the desired address is taken" in message
    message = refused(twin, host=neighbour, address=neighbour, timeout=1, **arguments)
    assert "the desired address is taken" in message
    assert not twin.calls


def test_a_nas_with_another_certificate_gets_no_request(twin: Twin) -> None:
    message = refused(twin, fingerprint="ab" * 32)
    assert "something else answers" in message and "shows the certificate" in message
    assert not twin.calls


@pytest.mark.parametrize("fault", ["drop_after_write", "busy_117", "expire_session"])
def test_a_hindered_change_still_succeeds(twin: Twin, fault: str) -> None:
    twin.faults.add(fault, on=OVER)
    result = twin.run("dsm_address", **SECOND)
    assert result["changed"] and "failed" not in result, result
    assert twin.faults.listed() == []
    assert port(twin, "eth1") == Ipv4(False, "10.9.0.20", "255.255.255.0")


def test_a_yes_without_effect_is_a_failure_that_changed_nothing(twin: Twin) -> None:
    twin.faults.add("silent_noop", on=OVER)
    result = twin.run("dsm_address", **{**SECOND, "deadline": 1})
    assert (result["failed"], bool(result.get("changed"))) == (True, False)
    assert "its eth1 is without an address (by DHCP). Nothing was changed" in result["msg"]


def test_a_nas_that_does_not_come_back_is_reported(twin: Twin) -> None:
    def silence(name: str, settings: Ipv4) -> None:
        for server in twin.server.servers:
            twin.server.loop.call_soon_threadsafe(server.close)

    twin.nas.effects.interfaces.moved = silence
    result = twin.run("dsm_address", **{**SECOND, "deadline": 1})
    assert (result["failed"], bool(result.get("changed"))) == (True, True)
    assert "127.0.0.1: a machine answers, but not as a NAS" in result["msg"]
    assert "reset button" in result["msg"]


def test_a_login_refused_after_the_change_is_not_tried_again(twin: Twin) -> None:
    twin.nas.effects.interfaces.moved = lambda name, settings: twin.faults.add("autoblock", count=9)
    result = twin.run("dsm_address", **SECOND)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "auto block" in result["msg"] and twin.count("SYNO.API.Auth.login") == 2


def test_an_address_in_use_beside_the_other_port_is_refused_by_the_nas_itself(twin: Twin) -> None:
    # Only the NAS can see who is on that network.
    twin.nas.effects.interfaces.answers = lambda address: True
    result = twin.run("dsm_address", **SECOND)
    assert (result["failed"], bool(result.get("changed"))) == (True, False)
    assert "in use by another machine (code 4312" in result["msg"]
