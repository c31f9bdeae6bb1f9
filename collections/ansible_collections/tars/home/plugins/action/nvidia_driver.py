# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name, with progress. What apt offers is found on the way, so every call may add steps."""

    PLANNED = ()

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.steps: list[str] = []
        self.diff: list[dict[str, str]] = []
        return super().attend(arguments, task_vars)

    def _execute_module(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        result: dict[str, Any] = super()._execute_module(*arguments, **more)
        self.steps += [step for step in result.get("steps", ()) if step not in self.steps]
        self.diff += [part for part in result.get("diff", ()) if part not in self.diff]
        return {**result, "steps": self.steps, "diff": self.diff}
