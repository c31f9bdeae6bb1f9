# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Region.NTP: the time zone and the time servers. The machine's clock is the host's and never changes."""

from __future__ import annotations

import time
from typing import Any

from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, versions

INCOMPLETE = 5701
MODES = ("ntp", "manual")
MOST_SERVERS = 3
FORMATS = ("date_format", "time_format")
ZONES = {
    "Hawaii": -36000,
    "Pacific": -28800,
    "Eastern": -18000,
    "Azores": -3600,
    "London": 0,
    "UTC": 0,
    "Amsterdam": 3600,
    "Brussels": 3600,
    "Warsaw": 3600,
    "Athens": 7200,
    "Moscow": 10800,
    "Tokyo": 32400,
    "Sydney": 36000,
}
"""Some of DSM's names with their offset from UTC in seconds, without daylight saving time."""


def get(call: Call) -> object:
    """Return the settings and the time in the time zone."""
    time_settings = call.nas.state.data["time"]
    now = time.time()
    local = time.gmtime(now + ZONES[time_settings["timezone"]])
    data: dict[str, Any] = {key: time_settings[key] for key in ("timezone", "enable_ntp", "server")} | {
        "date": time.strftime("%Y/%m/%d", local),
        "hour": local.tm_hour,
        "minute": local.tm_min,
        "second": local.tm_sec,
        "now": time.strftime("%a %b %d %H:%M:%S %Y", local),
        "timestamp": int(now),
    }
    return data if call.version == 1 else data | {key: time_settings[key] for key in FORMATS}


def set_time(call: Call) -> object:
    """Set time zone, mode and servers, all in one call; version 3 also requires the two formats."""
    names = ("timezone", "enable_ntp", "server", *(FORMATS if call.version == 3 else ()))
    wanted = {name: call.params.text(name, missing=INCOMPLETE) for name in names}
    servers = [server for server in wanted["server"].split(",") if server]
    if (
        wanted["timezone"] not in ZONES
        or wanted["enable_ntp"] not in MODES
        or len(servers) > MOST_SERVERS
        or (wanted["enable_ntp"] == "ntp" and not servers)
    ):
        raise DsmError(INCOMPLETE)
    with call.nas.state.change() as data:
        data["time"] |= wanted
    return None


def list_zones(call: Call) -> object:
    """Return the time zones."""
    return {
        "zonedata": [
            {"value": name, "offset": offset, "display": f"(GMT{offset // 3600:+03d}:00) {name}"}
            for name, offset in ZONES.items()
        ]
    }


APIS = [
    Api(
        "SYNO.Core.Region.NTP",
        1,
        3,
        {
            "get": Method(get, versions(1, 2, 3)),
            "set": Method(set_time, versions(1, 3), write=True),
            "listzone": Method(list_zones, versions(1)),
        },
    )
]
