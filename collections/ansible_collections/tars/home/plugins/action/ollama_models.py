# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils import record
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction

HEADER = "# The digest each model had when it was first met. A model that has another one later fails.\n"


class ActionModule(ProgressAction):
    """The module of this name with progress, the record on the controller, and the comparison of the files."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        path = Path(str(arguments["record"])).expanduser() if arguments.get("record") else None
        recorded = record.read(path) if path else {}
        result = super().attend({**arguments, "recorded": recorded}, task_vars)
        if result.get("failed"):
            return result
        if arguments.get("folder"):
            whole = arguments.get("verify") == "all"
            for name in result.get("digests", {}) if whole else [] if self._task.check_mode else result["pulled"]:
                self.show(task_vars, f"comparing the files of {name} with their SHA-256")
                examined = self._execute_module(module_args={**arguments, "examine": [name]}, task_vars=task_vars)
                if examined.get("failed"):
                    return {**result, **examined, "changed": result["changed"]}
        digests = {**recorded, **result.get("digests", {})}
        if path and not self._task.check_mode and digests != recorded:
            record.write(path, digests, HEADER)
            result["changed"] = True
        return result
