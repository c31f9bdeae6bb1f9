# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Package, its Control and its Server: installed packages, started and stopped; the catalogue is empty.

Whether a package runs is kept and told. There is nothing behind it: no package of DSM's exists outside a NAS.
"""

from __future__ import annotations

from typing import Any

from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NO_SUCH_PACKAGE = 4500
CANNOT_START, CANNOT_STOP = 4580, 4581
RUNNING, STOPPED = "running", "stop"
LOOKS, MANY_LOOKS = 2, 20
"""How often a package that was started or stopped is seen on its way there; and under the fault `slow_apply`."""

INSTALLED: dict[str, dict[str, Any]] = {
    name: {
        "name": title,
        "version": "1.0.0-0001",
        "timestamp": 0,
        "description": title,
        "maintainer": "Synology Inc.",
        "install_type": "system",
        "startable": startable,
        "ctl_uninstall": False,
        "beta": False,
        "dsm_apps": "",
    }
    for name, title, startable in (
        ("FileStation", "File Station", False),
        ("SMBService", "SMB Service", True),
        ("SynoFinder", "Universal Search", True),
    )
}
"""Packages that this NAS comes with. Their versions are made up."""

FIELDS = ("description", "maintainer", "status", "install_type", "startable", "ctl_uninstall", "beta", "dsm_apps")
"""What `additional` may ask for; anything else is refused."""


def list_packages(call: Call) -> object:
    asked = call.params.value("additional", list, [])
    if not set(map(str, asked)) <= set(FIELDS):
        raise invalid("additional", "condition")
    return {"packages": [_row(call, name, asked) for name in sorted(INSTALLED)], "total": len(INSTALLED)}


def get_package(call: Call) -> object:
    name = _known(call)
    return _row(call, name, call.params.value("additional", list, []))


def _row(call: Call, name: str, asked: list[str]) -> dict[str, Any]:
    package = INSTALLED[name] | {"status": _passing(call, name) or _status(call, name)}
    row = {"id": name} | {key: package[key] for key in ("name", "version", "timestamp")}
    extra = {key: package[key] for key in FIELDS if key in asked}
    return row | ({"additional": extra} if asked else {})


def _status(call: Call, name: str) -> str:
    status: str = call.nas.state.data["packages"].get(name, RUNNING)
    return status


def _passing(call: Call, name: str) -> str:
    """What a package says of itself on its way; "" once it is there."""
    word, looks = call.nas.tasks.get(f"package {name}", ("", 0))
    if looks:
        call.nas.tasks[f"package {name}"] = (word, looks - 1)
    return word if looks else ""


def start(call: Call) -> object:
    return _control(call, RUNNING, "starting", CANNOT_START)


def stop(call: Call) -> object:
    return _control(call, STOPPED, "stopping", CANNOT_STOP)


def _control(call: Call, status: str, on_its_way: str, refusal: int) -> object:
    name = _known(call)
    if not INSTALLED[name]["startable"]:
        raise DsmError(refusal)
    if status != _status(call, name):
        faults, asked = call.nas.faults, f"{CONTROL}.{'start' if status == RUNNING else 'stop'}"
        if not faults.take("failed_apply", asked):
            with call.nas.state.change() as data:
                data["packages"][name] = status
        looks = MANY_LOOKS if faults.take("slow_apply", asked) else LOOKS
        call.nas.tasks[f"package {name}"] = (on_its_way, looks)
    return {"message": "", "worker_message": []}


def _known(call: Call) -> str:
    # Unlike other APIs, those of packages take no bare text.
    name = call.params.text("id")
    if name not in INSTALLED:
        raise DsmError(NO_SUCH_PACKAGE)
    return name


def list_catalogue(call: Call) -> object:
    return {"packages": [], "total": 0}


CONTROL = "SYNO.Core.Package.Control"
APIS = [
    Api(
        "SYNO.Core.Package",
        1,
        2,
        {"list": Method(list_packages, versions(2)), "get": Method(get_package, versions(1))},
    ),
    Api(
        CONTROL,
        1,
        1,
        {"start": Method(start, versions(1), write=True), "stop": Method(stop, versions(1), write=True)},
    ),
    Api("SYNO.Core.Package.Server", 1, 2, {"list": Method(list_catalogue, versions(2))}),
]
