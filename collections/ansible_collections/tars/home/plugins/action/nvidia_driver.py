# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.modules.nvidia_driver import TASK
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """Install the driver, with progress. apt's offers are known only on the way, so every call may add changes."""

    module_task = TASK
    PLANNED = ()

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module until nothing is pending, and collect the changes of all calls."""
        self._changes: list[str] = []
        self._diff: list[dict[str, str]] = []
        return super().attend(arguments, task_vars)

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module once."""
        result = super().call(arguments, task_vars)
        self._changes += [change for change in result.get("changes", ()) if change not in self._changes]
        self._diff += [part for part in result.get("diff", ()) if part not in self._diff]
        return {**result, "changes": self._changes, "diff": self._diff}
