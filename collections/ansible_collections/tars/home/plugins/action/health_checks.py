# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.checks import health as health_checks
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name, with its results as a table."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().attend(arguments, task_vars)
        for line in health_checks.table(result.get("checks", [])):
            self.show(task_vars, line)
        return result
