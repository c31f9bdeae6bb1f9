# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.module_utils.checks import health
from ansible_collections.tars.home.plugins.modules.health_checks import TASK
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction, validated


class ActionModule(ModuleAction):
    """Run the checks, and show their results as a table. The module gets only those that concern the machine itself."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the results of the checks."""
        checked = validated(TASK, arguments)
        if checked.error_messages:
            return {"failed": True, "msg": "; ".join(checked.error_messages)}
        checks = checked.validated_parameters["checks"]
        measured = [check for check in checks if check["result"] is None]
        measurement: dict[str, Any] = {"checks": []}
        if measured:
            given = [{key: value for key, value in check.items() if value is not None} for check in measured]
            measurement = self.call({**arguments, "checks": given}, task_vars)
        if "checks" not in measurement:
            # The machine could not run them.
            return measurement
        measurements = iter(measurement["checks"])
        compared = [health.evaluate(check, *health.comparison(check["result"] or {})) for check in checks]
        results = [
            next(measurements) if check["result"] is None else result
            for check, result in zip(checks, compared, strict=True)
        ]
        for line in health.table(results):
            self.show(task_vars, line)
        return health.outcome(checks, results)
