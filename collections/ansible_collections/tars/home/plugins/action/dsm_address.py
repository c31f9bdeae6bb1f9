# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.on_controller import OnController, import_tasks


class ActionModule(OnController):
    """Do the work of dsm_address, and show the planned change before the NAS stops answering."""

    tasks = import_tasks("dsm_address")

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Plan in check mode; if that finds a change, show it and make it."""
        check_mode, self._task.check_mode = self._task.check_mode, True
        planned = self.call(arguments, task_vars)
        self._task.check_mode = check_mode
        if check_mode or planned.get("failed") or not planned.get("changed"):
            return planned
        deadline_s = arguments.get("deadline", 180)
        self.show(task_vars, f"{planned['changes'][0]}; waiting up to {deadline_s} s for the NAS")
        return self.call(arguments, task_vars)
