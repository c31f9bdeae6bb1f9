# SPDX-License-Identifier: GPL-3.0-or-later
"""An action that does its module's work in Ansible's own process, where the task runs on the controller.

There a module costs a payload, built anew in every run, and an interpreter, which must have the module's libraries:
half a second of processor time for work that takes a tenth of it.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import ModuleTask
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class OnController(ProgressAction):
    """Do the work in this process; run the module where the task goes to another machine or account."""

    module_task: ModuleTask

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        here = self._connection.transport == "local" and self._connection.become is None
        if not here or any(self._task.environment or ()):
            return super().call(arguments, task_vars)
        checked = ArgumentSpecValidator(self.module_task.arguments).validate(arguments)

        def without_secrets(said: Any) -> Any:
            return remove_values(said, checked._no_log_values)

        def warn(text: str) -> None:
            self._display.warning(without_secrets(text))

        try:
            if checked.error_messages:
                raise Failed({"msg": "; ".join(checked.error_messages)})
            result = self.module_task.run(InProcessModule(checked.validated_parameters, self._task.check_mode, warn))
        except Failed as error:
            result = {"failed": True, **error.result}
        # As it would come from a module: plain data.
        plain: dict[str, Any] = without_secrets(json.loads(json.dumps(result)))
        return plain


class Failed(Exception):
    """The work has ended; with a result, as a failed module would have."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class InProcessModule:
    """What the work sees of AnsibleModule."""

    def __init__(self, params: dict[str, Any], check_mode: bool, warn: Any) -> None:
        self.params, self.check_mode, self.warn = params, check_mode, warn

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        raise Failed({"msg": msg, **kwargs})
