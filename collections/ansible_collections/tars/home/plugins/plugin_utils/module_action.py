# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all actions that run a module on a machine, and leave the module out where one command is enough."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Outcome
from ansible_collections.tars.home.plugins.module_utils.resource.errors import ResourceError
from ansible_collections.tars.home.plugins.module_utils.resource.module_task import ModuleTask


class ModuleAction(ActionBase):  # type: ignore[misc]  # Ansible has no annotations
    """Run the module of the task's name, unless the probe of its resource finds nothing to change.

    A probe costs one command over the open connection, a module a payload and an interpreter on the machine: a
    fifth of a second against a whole one. Whatever the probe cannot decide is the module's work.
    """

    module_task: ModuleTask | None = None
    """The task of the module; None where there is no probe."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the probe, or else that of the module."""
        self._supports_check_mode = True
        self._supports_async = False
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        unchanged = self.probe(arguments)
        result.update(self.attend(arguments, task_vars or {}) if unchanged is None else unchanged)
        return result

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module until its work is done."""
        return self.call(arguments, task_vars)

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module once."""
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    def probe(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result if one command shows that nothing has to change, else None.

        Faults of arguments and of the machine are None as well: the module reports them.
        """
        if self.module_task is None or self.module_task.resource is None:
            return None
        checked = validated(self.module_task, arguments)
        if checked.error_messages:
            return None
        try:
            resource = self.module_task.resource(checked.validated_parameters)
            if resource.probe is None:
                return None
            state = resource.probe.parse(*self.ask(resource.probe.command, resource.probe.stdin))
            if state is None or resource.plan(state):
                return None
        except ResourceError:
            return None
        return without_secrets(Outcome(resource, state, state, []).result(), checked)

    def ask(self, command: Any, stdin: str = "") -> tuple[int, str]:
        """Run a command on the machine. Returns its exit status and standard output."""
        # With a terminal, standard error would be part of the output, and lines would end with a carriage return.
        answer = self._low_level_execute_command(f"{shlex.join(command)} 2>/dev/null", in_data=stdin.encode() or None)
        return int(answer["rc"]), str(answer["stdout"]).replace("\r\n", "\n")

    def show(self, task_vars: dict[str, Any], line: str) -> None:
        """Print a line for the machine the task runs on."""
        self._display.display(f"    [{task_vars.get('inventory_hostname', '')}] {line}")


def validated(task: ModuleTask, arguments: Mapping[str, Any]) -> Any:
    """Return Ansible's validation of the arguments, as the module would make it."""
    return ArgumentSpecValidator(task.arguments, **task.rules).validate(dict(arguments))


def without_secrets(result: dict[str, Any], checked: Any) -> dict[str, Any]:
    """Return a result as it would come from a module: plain data, the secret arguments masked."""
    plain: dict[str, Any] = remove_values(json.loads(json.dumps(result)), checked._no_log_values)
    return plain
