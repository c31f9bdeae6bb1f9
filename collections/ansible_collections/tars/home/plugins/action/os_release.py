# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction

# freedesktop.org: os-release(5).
PLACES = "/etc/os-release", "/usr/lib/os-release"


class ActionModule(ModuleAction):
    """Read the distribution of a machine, without a module on it."""

    _VALID_ARGS: frozenset[str] = frozenset()

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the facts."""
        status, output = self.ask(["sh", "-c", " || ".join(f"cat {place}" for place in PLACES)])
        if status:
            return {"failed": True, "msg": f"{PLACES[0]}: cannot be read on this machine, cat ended with {status}."}
        return {"ansible_facts": facts(output)}


def facts(text: str) -> dict[str, str]:
    """Return the facts by an os-release file, whose lines are assignments in the shell's quoting."""
    values = dict(line.partition("=")[::2] for line in shlex.split(text, comments=True) if "=" in line)
    version = values.get("VERSION_ID", "")
    return {
        "distribution": values.get("ID", "").capitalize(),
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "distribution_release": values.get("VERSION_CODENAME", ""),
    }
