# SPDX-License-Identifier: GPL-3.0-or-later
"""What the spec says about mounts, in the words of the role nfs_mount."""

from __future__ import annotations

import re
from typing import Any


def site_mounts(site: dict[str, Any], machine: str) -> list[dict[str, Any]]:
    """The shares that a machine mounts: export, path, and whether it may only read."""
    nas = next(host for host in site["hosts"].values() if host["profile"] == "ds1515plus")
    mounts = []
    for name, share in sorted(site["shares"].items()):
        client = share["clients"].get(machine)
        if client and client["mount"]:
            source = f"{nas['address']}:{share['volume']}/{name}"
            mounts.append({"source": source, "path": client["mount"], "read_only": client["access"] == "ro"})
    return mounts


def mount_check(mount: dict[str, Any]) -> dict[str, Any]:
    """A check that a mount can be read and is the NAS's share: listed by ls, then named by findmnt."""
    script = 'ls "$1" > /dev/null && findmnt --noheadings --types=noautofs --output=SOURCE --mountpoint "$1"'
    return {
        "name": f"{mount['source']} is mounted and can be read",
        "command": ["sh", "-c", script, "sh", mount["path"]],
        "expect": f"^{re.escape(mount['source'])}$",
        "fix": f"see that the NAS is on and exports it; systemctl status {mount['path']}",
    }


class FilterModule:
    """Makes the functions known to templates."""

    def filters(self) -> dict[str, Any]:
        return {"site_mounts": site_mounts, "mount_check": mount_check}
