# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.modules.dsm_address import TASK
from ansible_collections.tars.home.plugins.plugin_utils.on_controller import OnController


class ActionModule(OnController):
    """The module of this name, which says what it sets before the NAS falls silent."""

    module_task = TASK

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        asked, self._task.check_mode = self._task.check_mode, True
        planned = self.call(arguments, task_vars)
        self._task.check_mode = asked
        if asked or planned.get("failed") or not planned.get("changed"):
            return planned
        self.show(
            task_vars, f"{planned['changes'][0]}; the NAS is awaited for up to {arguments.get('deadline', 180)} s"
        )
        return self.call(arguments, task_vars)
