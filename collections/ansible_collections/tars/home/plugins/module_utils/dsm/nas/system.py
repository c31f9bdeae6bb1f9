# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, gateway, resolvers, clock, SSH and SFTP of a NAS: read them as the planner's values, and write one group."""

from __future__ import annotations

from typing import Any

from .. import calls
from ..client.client import Client, Read
from ..plans import system as system_plan

# For each group of settings: the calls that read and write it, and its name in errors.
_GROUPS = {
    "network": (calls.NETWORK_GET, calls.NETWORK_SET, "the network's general settings"),
    "time": (calls.TIME_GET, calls.TIME_SET, "the time settings"),
    "terminal": (calls.TERMINAL_GET, calls.TERMINAL_SET, "the SSH service"),
    "sftp": (calls.SFTP_GET, calls.SFTP_SET, "the SFTP service"),
}


def identity(client: Client) -> dict[str, Any]:
    """Return model, serial number, DSM version, memory in MiB, temperature in °C and uptime in seconds."""
    data = client.read(calls.SYSTEM_INFO)
    return {
        "model": data.get("model"),
        "serial": data.get("serial"),
        "version": data.get("version_string"),
        "build": data.get("version"),
        "ram_mib": data.get("ram"),
        "temperature_c": data.get("temperature"),
        "uptime_s": data.get("uptime"),
    }


def settings(client: Client) -> system_plan.System:
    """Return the current settings."""
    answers = client.read_all({group: Read(get, subject=subject) for group, (get, _set, subject) in _GROUPS.items()})
    return system_plan.from_api(*(answers[group] for group in _GROUPS))


def limits(client: Client) -> system_plan.Limits:
    """Return the values that this DSM accepts."""
    answers = client.read_all({"network": Read(calls.NETWORK_GET), "zones": Read(calls.TIME_ZONES)})
    return system_plan.limits_from_api(answers["network"], answers["zones"])


def change_settings(client: Client, change: system_plan.Change) -> None:
    """Write a group of settings, which DSM accepts only as a whole: over what it has at this moment."""
    get_call, set_call, subject = _GROUPS[change.group]
    client.write(set_call, system_plan.to_api(change, client.read(get_call)), subject)
