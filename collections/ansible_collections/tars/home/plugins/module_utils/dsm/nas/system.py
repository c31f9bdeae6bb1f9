# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, gateway, resolvers, clock, SSH and SFTP as the planner's values: reading them, and changing one group."""

from __future__ import annotations

from ..client.client import Client, Read
from ..plans import system as system_plan

NETWORK = "SYNO.Core.Network"
TIME = "SYNO.Core.Region.NTP"
TERMINAL = "SYNO.Core.Terminal"
SFTP = "SYNO.Core.FileServ.FTP.SFTP"
# API, version and the words of an error for each group of settings.
_GROUPS = {
    "network": (NETWORK, 2, "the network's general settings"),
    "time": (TIME, 1, "the time settings"),
    "terminal": (TERMINAL, 3, "the SSH service"),
    "sftp": (SFTP, 1, "the SFTP service"),
}


def settings(client: Client) -> system_plan.System:
    found = client.read_all(
        {group: Read(api, "get", version, subject=subject) for group, (api, version, subject) in _GROUPS.items()}
    )
    return system_plan.from_api(*(found[group] for group in _GROUPS))


def limits(client: Client) -> system_plan.Limits:
    found = client.read_all({"network": Read(NETWORK, "get", 2), "zones": Read(TIME, "listzone", 1)})
    return system_plan.limits_from_api(found["network"], found["zones"])


def change_settings(client: Client, change: system_plan.Change) -> None:
    """DSM takes the group whole: read now, so that what others set in the meantime stays."""
    api, version, subject = _GROUPS[change.group]
    body = system_plan.to_api(change, client.read(api, "get", version))
    client.write(api, "set", version, body, subject)
