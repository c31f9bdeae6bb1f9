# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shlex
from typing import Any

from ansible.plugins.action import ActionBase

OPTIONS: dict[str, Any] = {
    "arguments": {"type": "list", "elements": "str", "required": True},
    "check_option": {"type": "str", "default": ""},
    "input": {"type": "str", "default": "", "no_log": True},
    "program": {"type": "path", "default": "/opt/tars/bin/tars-backup"},
}
PENDING = 3
"""Exit code of a command that only reports what it would change."""


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no annotations
    """Run a command of tars-backup over the open connection."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the object that the command printed, or its message as a failure."""
        self._supports_check_mode = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        words = [options["program"], *options["arguments"], "--json"]
        if self._task.check_mode and options["check_option"]:
            words.append(options["check_option"])
        # Progress goes to standard error, which would be part of the output on a terminal.
        secret = options["input"].encode() or None
        answer = self._low_level_execute_command(f"{shlex.join(words)} 2>/dev/null", in_data=secret)
        return {**result, **outcome(shlex.join(words), int(answer["rc"]), str(answer["stdout"]))}


def outcome(command: str, code: int, output: str) -> dict[str, Any]:
    """Return a task's result by the exit code and the output of a command.

    It is not called `rc`: Ansible takes any but 0 as a failure.
    """
    try:
        printed = json.loads(output.strip().splitlines()[-1])
        ok, error = printed["ok"], printed["error"] or {}
    except (ValueError, LookupError, TypeError):
        shown = output.strip()[-500:] or "no output"
        message = f"{command}: found exit code {code} and {shown}, expected one JSON object."
        return {"failed": True, "msg": f"{message} Next: run it on the machine.", "exit_code": code}
    if not ok:
        return {"failed": True, "msg": error.get("message", ""), "exit_code": code, "backup": printed}
    return {"changed": bool(printed.get("changed", False)) or code == PENDING, "exit_code": code, "backup": printed}
