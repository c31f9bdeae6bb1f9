# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Package with Control and Server: installed packages can be started and stopped; the catalogue is empty.

Whether a package runs is only recorded, because DSM's packages do not exist outside a NAS.
"""

from __future__ import annotations

from typing import Any

from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

NO_SUCH_PACKAGE = 4500
CANNOT_START, CANNOT_STOP = 4580, 4581
RUNNING, STOPPED = "running", "stop"
POLLS, SLOW_POLLS = 2, 20
"""Number of reads for which a package is reported as starting or stopping; and with the fault `slow_apply`."""

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
"""Packages that are installed on this NAS. Their versions are invented."""

FIELDS = ("description", "maintainer", "status", "install_type", "startable", "ctl_uninstall", "beta", "dsm_apps")
"""Fields that `additional` can request; others are rejected."""


def list_packages(call: Call) -> object:
    """Return the installed packages."""
    additional = call.params.value("additional", list, [])
    if not set(map(str, additional)) <= set(FIELDS):
        raise invalid("additional", "condition")
    return {"packages": [_row(call, name, additional) for name in sorted(INSTALLED)], "total": len(INSTALLED)}


def get_package(call: Call) -> object:
    """Return one package."""
    name = _known(call)
    return _row(call, name, call.params.value("additional", list, []))


def _row(call: Call, name: str, additional: list[str]) -> dict[str, Any]:
    package = INSTALLED[name] | {"status": _transition(call, name) or _status(call, name)}
    row = {"id": name} | {key: package[key] for key in ("name", "version", "timestamp")}
    extra = {key: package[key] for key in FIELDS if key in additional}
    return row | ({"additional": extra} if additional else {})


def _status(call: Call, name: str) -> str:
    status: str = call.nas.state.data["packages"].get(name, RUNNING)
    return status


def _transition(call: Call, name: str) -> str:
    """Return `starting` or `stopping` during a change, else ""; count the read."""
    status, polls = call.nas.tasks.get(f"package {name}", ("", 0))
    if polls:
        call.nas.tasks[f"package {name}"] = (status, polls - 1)
    return status if polls else ""


def start(call: Call) -> object:
    """Start a package."""
    return _control(call, RUNNING, "starting", CANNOT_START)


def stop(call: Call) -> object:
    """Stop a package."""
    return _control(call, STOPPED, "stopping", CANNOT_STOP)


def _control(call: Call, status: str, transition: str, refusal: int) -> object:
    name = _known(call)
    if not INSTALLED[name]["startable"]:
        raise DsmError(refusal)
    if status != _status(call, name):
        faults, method = call.nas.faults, f"{CONTROL}.{'start' if status == RUNNING else 'stop'}"
        if not faults.take("failed_apply", method):
            with call.nas.state.change() as data:
                data["packages"][name] = status
        polls = SLOW_POLLS if faults.take("slow_apply", method) else POLLS
        call.nas.tasks[f"package {name}"] = (transition, polls)
    return {"message": "", "worker_message": []}


def _known(call: Call) -> str:
    # Unlike other APIs, those of packages do not accept bare text.
    name = call.params.text("id")
    if name not in INSTALLED:
        raise DsmError(NO_SUCH_PACKAGE)
    return name


def list_catalogue(call: Call) -> object:
    """Return the empty catalogue."""
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
