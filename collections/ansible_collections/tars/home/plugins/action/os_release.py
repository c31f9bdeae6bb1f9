# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.action import ActionBase

# freedesktop.org: os-release(5).
PLACES = "/etc/os-release", "/usr/lib/os-release"


class ActionModule(ActionBase):
    """Reads which distribution a machine runs, without a module on it."""

    _VALID_ARGS = frozenset()

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._supports_check_mode = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        read = " || ".join(f"cat {place}" for place in PLACES)
        answer = self._low_level_execute_command(read)
        if answer["rc"]:
            return {**result, "failed": True, "msg": f"{PLACES[0]}: wanted to read it, found: {answer['stderr']}"}
        return {**result, "ansible_facts": facts(answer["stdout"])}


def facts(text: str) -> dict[str, str]:
    """The facts out of an os-release file, whose lines are assignments in the shell's quoting."""
    said = dict(line.partition("=")[::2] for line in shlex.split(text, comments=True) if "=" in line)
    version = said.get("VERSION_ID", "")
    return {
        "distribution": said.get("ID", "").capitalize(),
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "distribution_release": said.get("VERSION_CODENAME", ""),
    }
