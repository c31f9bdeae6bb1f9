# SPDX-License-Identifier: GPL-3.0-or-later
"""Another address for the lab's NAS, and another gateway and resolver, observed from another machine and by `ip`."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tars_lab import cgroups, machine
from tars_lab.layout import Lab, Machine
from tars_lab.lifecycle import serial_number
from tars_provision.controller import vault

from ...waiting import wait_for

pytestmark = pytest.mark.lab

Run = Callable[..., dict[str, Any]]
ELSEWHERE = "10.77.0.66"
ROUTER = "10.77.0.1"


@pytest.fixture(scope="module")
def nas(lab: Lab) -> Machine:
    return next(entry for entry in lab.machines if entry.kind == "ds1515plus")


@pytest.fixture(scope="module")
def run(lab: Lab, nas: Machine, module: Run) -> Iterator[Run]:
    """A module run over the lab's NAS, found at either address; afterwards it is at its own again."""
    certificate = ssl.get_server_certificate((nas.address, 5001))
    connection = {
        "account": nas.dsm_account,
        "password": vault.ensure(Path(lab.inventory))["dsm_password"],
        "fingerprint": hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest(),
    }

    def run(name: str, check: bool = False, **options: Any) -> dict[str, Any]:
        return module(name, {"host": nas.address, **connection, **options}, check)

    yield run
    result = run("dsm_address", **move(lab, nas.address, ELSEWHERE))
    assert not result.get("failed"), result


def move(lab: Lab, to: str, at: str) -> dict[str, Any]:
    nas = next(entry for entry in lab.machines if entry.kind == "ds1515plus")
    where = {"host": to, "address": to, "found_at": at, "gateway": ROUTER, "move_connection": True}
    return {"serial": serial_number(nas.name), **where}


def inside(lab: Lab, name: str, command: str) -> tuple[int, str]:
    done = machine.execute(lab, lab.machine(name), ["sh", "-c", command])
    return done.returncode, done.stdout


def answers(lab: Lab, address: str) -> bool:
    """Whether the client reaches a DSM at the address; a machine without one there would be its neighbour."""
    inside(lab, "client", f"ip neighbour flush to {address}")
    url = f"https://{address}:5001/webapi/query.cgi?api=SYNO.API.Info\\&version=1\\&method=query\\&query=all"
    curled, text = inside(lab, "client", f"curl -ks --max-time 5 {url}")
    neighbour = inside(lab, "client", f"ip neighbour show to {address}")[1]
    assert (curled == 0) == ("lladdr" in neighbour), f"{address}: curl ended with {curled}; {neighbour}"
    return "SYNO.API.Auth" in text


def addresses(lab: Lab, nas: Machine) -> str:
    return inside(lab, nas.name, "ip -4 -brief address show eth0")[1]


def test_the_nas_moves_for_real_and_for_good(lab: Lab, nas: Machine, run: Run) -> None:
    planned = run("dsm_address", check=True, **move(lab, ELSEWHERE, nas.address))
    assert planned.get("answers_at") == nas.address and answers(lab, nas.address), planned
    moved = run("dsm_address", **move(lab, ELSEWHERE, nas.address))
    assert moved.get("changes") == planned["changes"] == [f"set eth0 to {ELSEWHERE}/24, gateway {ROUTER}"], moved
    assert moved["answers_at"] == ELSEWHERE
    assert f"{ELSEWHERE}/24" in addresses(lab, nas) and nas.address not in addresses(lab, nas)
    assert answers(lab, ELSEWHERE) and not answers(lab, nas.address)
    assert run("dsm_address", **move(lab, ELSEWHERE, nas.address))["changed"] is False

    leader = cgroups.init(lab, nas.name)
    inside(lab, nas.name, "systemctl reboot")
    wait_for(lambda: cgroups.init(lab, nas.name) not in (leader, None), "the reboot of the NAS")
    machine.wait(lab, nas)
    assert answers(lab, ELSEWHERE) and not answers(lab, nas.address)


def test_an_address_of_another_machine_is_left_to_it(lab: Lab, nas: Machine, run: Run) -> None:
    taken = lab.machine("client").address
    arguments = nas.address if answers(lab, nas.address) else ELSEWHERE
    result = run("dsm_address", **move(lab, taken, arguments))
    assert (result["failed"], bool(result.get("changed"))) == (True, False)
    assert f"{taken}: a machine answers, but not as a NAS: the desired address is taken" in result["msg"]
    result = run("dsm_address", **{**move(lab, "10.77.0.67", arguments), "serial": "LAB000000000"})
    assert (result["failed"], bool(result.get("changed"))) == (True, False)
    assert answers(lab, arguments)


def test_gateway_and_resolver_are_the_machines(lab: Lab, nas: Machine, run: Run) -> None:
    arguments = nas.address if answers(lab, nas.address) else ELSEWHERE
    before = run("dsm_info", host=arguments, gather=["settings"])["settings"]
    desktop = lab.machine("xps8950").address
    done = run("dsm_system", host=arguments, gateway=desktop, resolvers=[desktop])
    assert done.get("changed"), done
    assert f"default via {desktop} " in inside(lab, nas.name, "ip -4 route show default")[1]
    assert inside(lab, nas.name, "cat /etc/resolv.conf")[1] == f"nameserver {desktop}\n"
    assert run("dsm_system", host=arguments, gateway=ROUTER, resolvers=before["resolvers"])["changed"]
    assert f"default via {ROUTER} " in inside(lab, nas.name, "ip -4 route show default")[1]
