# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.modules.ollama_models import TASK
from ansible_collections.tars.home.plugins.plugin_utils.record import RecordingAction


class ActionModule(RecordingAction):
    """Manage models, with progress, the record on the controller, and the comparison of their files."""

    module_task = TASK
    header = "# The first digest of each model. A model that has another one later fails.\n"

    def probe(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result of the probe if nothing has to change and no file has to be compared."""
        return None if self._compares_all(arguments) else super().probe(arguments)

    def complete(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Manage the models, then compare the files of the pulled ones, or of all."""
        result = super().complete(arguments, task_vars)
        if result.get("failed") or not arguments.get("folder"):
            return result
        pulled = [change[len("pull ") :] for change in result["changes"] if change.startswith("pull ")]
        names = list(result["digests"]) if self._compares_all(arguments) else [] if self._task.check_mode else pulled
        for name in names:
            self.show(task_vars, f"comparing the files of {name} with their SHA-256")
            examined = self._execute_module(module_args={**arguments, "examine": [name]}, task_vars=task_vars)
            if examined.get("failed"):
                return {**result, **examined, "changed": result["changed"]}
        return result

    def _compares_all(self, arguments: Mapping[str, Any]) -> bool:
        return bool(arguments.get("folder")) and arguments.get("verify") == "all"
