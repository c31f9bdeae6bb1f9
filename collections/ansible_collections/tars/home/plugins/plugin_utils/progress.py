# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that calls its module again while work is pending, and shows where the work stands."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ProgressAction(ActionBase):
    """Runs the module of the task's name.

    A module with long work returns `pending`, the lines that say where it stands, after a few seconds with it, and
    `units`, the systemd units that do it; it finds the work again when called again. The first call says what is to
    change, the last one how it ended.
    """

    PLANNED = ("installed", "pulled", "deleted", "steps")
    """Results that say what was to be done, which only the first call knows."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._supports_check_mode = True
        self._supports_async = False
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self.attend(dict(self._task.args), task_vars or {}))
        return result

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module until nothing is pending. The result is changed if any call changed something."""
        changed = False
        first: dict[str, Any] = {}
        shown: set[str] = set()
        while True:
            result = self.call(arguments, task_vars)
            changed = changed or bool(result.get("changed"))
            first = first or result
            pending, units = result.pop("pending", None) or [], result.pop("units", None) or []
            if units and result is first:
                self.show(task_vars, f"goes on there if interrupted here; to stop it: systemctl stop {' '.join(units)}")
            for line in pending:
                if line not in shown:
                    self.show(task_vars, line)
            shown = set(pending)
            if not pending or result.get("failed"):
                break
        planned = {key: first[key] for key in self.PLANNED if key in first}
        if isinstance(result.get("diff"), dict) and "diff" in first:
            result["diff"]["before"] = first["diff"]["before"]
        return {**result, **planned, "changed": changed}

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module once."""
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    def show(self, task_vars: dict[str, Any], line: str) -> None:
        """Print a line for the machine the task runs on."""
        self._display.display(f"    [{task_vars.get('inventory_hostname', '')}] {line}")
