# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that calls its module again while work is pending, and shows the progress."""

from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction


class ProgressAction(ModuleAction):
    """Run the module of the task's name until no work is pending.

    A module with long work returns after a few seconds with it: `pending`, lines that describe the progress, and
    `units`, the systemd units that do the work. It finds the work again when called again. The first call returns what
    is to change, the last one how it ended.
    """

    PLANNED: tuple[str, ...] = ("changes", "pulled", "deleted", "steps")
    """Results that only the first call knows, because they name what was to be done."""

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
                self.show(
                    task_vars, f"the work continues there if interrupted; to stop it: systemctl stop {' '.join(units)}"
                )
            for line in pending:
                if line not in shown:
                    self.show(task_vars, line)
            shown = set(pending)
            if not pending or result.get("failed"):
                break
        planned = {} if result.get("failed") else {key: first[key] for key in self.PLANNED if key in first}
        if isinstance(result.get("diff"), dict) and "diff" in first:
            result["diff"]["before"] = first["diff"]["before"]
        return {**result, **planned, "changed": changed}
