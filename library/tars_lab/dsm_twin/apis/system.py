# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.DSM.Info, SYNO.DSM.Network, SYNO.Core.System and its Utilization: facts about the machine and its load."""

from __future__ import annotations

import time

from tars_lab.dsm_twin import host
from tars_lab.dsm_twin.protocol import Api, Call, Method, invalid, versions

TEMPERATURE_C = 40


def getinfo(call: Call) -> object:
    """Return model, serial number, version and uptime."""
    factory = call.nas.factory
    return {
        "codepage": "enu",
        "model": factory.model,
        "ram": host.memory_mib(),
        "serial": factory.serial,
        "temperature": TEMPERATURE_C,
        "temperature_warn": False,
        "time": time.strftime("%a %b %d %H:%M:%S %Y"),
        "uptime": host.uptime_s(),
        "version": factory.build,
        "version_string": factory.version_string,
    }


def info(call: Call) -> object:
    """Return facts about the machine. `type=network` and `type=storage` were never observed completely: error 120."""
    if "type" in call.params:
        raise invalid("type", "condition")
    factory = call.nas.factory
    clock = call.nas.state.data["time"]
    hours, seconds = divmod(host.uptime_s(), 3600)
    return {
        "model": factory.model,
        "serial": factory.serial,
        "firmware_ver": factory.version_string,
        "firmware_date": "2024/12/05",
        "ram_size": host.memory_mib(),
        "cpu_vendor": "INTEL",
        "cpu_family": "Atom",
        "cpu_series": "C2538",
        "cpu_cores": "4",
        "cpu_clock_speed": 2400,
        "sys_temp": TEMPERATURE_C,
        "sys_tempwarn": False,
        "temperature_warning": False,
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "time_zone": clock["timezone"],
        "time_zone_desc": clock["timezone"],
        "enabled_ntp": clock["enable_ntp"] == "ntp",
        "ntp_server": clock["server"],
        "up_time": f"{hours}:{seconds // 60}:{seconds % 60}",
        "usb_dev": [],
        "sata_dev": [],
        "esata_dev": [],
        "external_pci_slot_info": [],
    }


def utilization(call: Call) -> object:
    """Return the load of processor, memory and network."""
    return {
        "cpu": host.processor(),
        "memory": host.memory(),
        "network": host.traffic(),
        "disk": {"disk": [], "total": {"device": "total"}},
        "space": {"total": {"device": "total"}, "volume": []},
        "time": int(time.time()),
    }


def network(call: Call) -> object:
    """Return hostname, gateway, name servers and interfaces."""
    return call.nas.effects.interfaces.network() | {"workgroup": "WORKGROUP"}


APIS = [
    Api("SYNO.DSM.Info", 2, 2, {"getinfo": Method(getinfo, versions(2))}),
    Api("SYNO.DSM.Network", 2, 2, {"list": Method(network, versions(2))}),
    Api("SYNO.Core.System", 1, 3, {"info": Method(info, versions(1, 2, 3))}),
    Api("SYNO.Core.System.Utilization", 1, 1, {"get": Method(utilization, versions(1))}),
]
