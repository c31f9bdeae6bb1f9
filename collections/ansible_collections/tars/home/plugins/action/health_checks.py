# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.checks import health
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """Run the checks, and show their results as a table."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the checks."""
        result = super().attend(arguments, task_vars)
        for line in health.table(result.get("checks", [])):
            self.show(task_vars, line)
        return result
