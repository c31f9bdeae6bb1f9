# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that does its module's work in Ansible's own process, where the task runs on the controller.

A module would cost a payload, built again in every run, and an interpreter, which must have the module's libraries:
half a second of processor time for work that takes a tenth of it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

from ansible_collections.tars.home.plugins.module_utils.resource.module_task import ModuleTask
from ansible_collections.tars.home.plugins.plugin_utils.module_action import validated, without_secrets
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction

MODULES = "ansible_collections.tars.home.plugins.modules"


def import_tasks(prefix: str) -> dict[str, ModuleTask]:
    """Return the work of all modules whose names begin with `prefix`, by name.

    Call it where an action plugin is imported: Ansible does that before it forks, so each module is imported once a
    run instead of once a task.
    """
    names = [module.name for module in pkgutil.iter_modules(import_module(MODULES).__path__)]
    return {name: import_module(f"{MODULES}.{name}").TASK for name in names if name.startswith(prefix)}


class OnController(ProgressAction):
    """Do the work in this process; run the module where the task goes to another machine or account."""

    tasks: dict[str, ModuleTask]
    """The modules whose names lead to this action plugin."""

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do the module's work once."""
        local = self._connection.transport == "local" and self._connection.become is None
        if not local or any(self._task.environment or ()):
            return super().call(arguments, task_vars)
        module_task = self.tasks[self._task.action.rpartition(".")[2]]
        checked = validated(module_task, arguments)

        def warn(text: str) -> None:
            self._display.warning(without_secrets({"text": text}, checked)["text"])

        try:
            if checked.error_messages:
                raise TaskError({"msg": "; ".join(checked.error_messages)})
            result = module_task.run(InProcessModule(checked.validated_parameters, self._task.check_mode, warn))
        except TaskError as error:
            result = {"failed": True, **error.result}
        return without_secrets(result, checked)


class TaskError(Exception):
    """The work has ended; with a result, as a failed module would have."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class InProcessModule:
    """The part of AnsibleModule that the work uses."""

    def __init__(self, params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> None:
        self.params, self.check_mode, self.warn = params, check_mode, warn

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """End the work with a failure."""
        raise TaskError({"msg": msg, **kwargs})
