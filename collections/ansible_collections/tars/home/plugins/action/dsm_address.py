# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name, which says what it sets before the NAS falls silent."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        asked, self._task.check_mode = self._task.check_mode, True
        planned: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        self._task.check_mode = asked
        if asked or planned.get("failed") or not planned.get("changed"):
            return planned
        self.show(
            task_vars, f"{planned['changes'][0]}; the NAS is awaited for up to {arguments.get('deadline', 180)} s"
        )
        done: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return done
