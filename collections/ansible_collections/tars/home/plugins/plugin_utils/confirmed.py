# SPDX-License-Identifier: GPL-3.0-or-later
"""An action whose module changes what the connection to the machine stands on, and confirms it over a new one."""

from __future__ import annotations

import secrets
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

PATIENCE_S = 30
"""How long past the deadline a machine that does not answer is asked what has become of the change."""


class ConfirmedAction(ActionBase):
    """Runs the module of the task's name, and again with `confirm` where it has armed a rollback.

    The module takes `token`, the name of this one change, and answers `armed: true` once it has applied it. Should this
    process die at any point, the machine undoes what is not confirmed.
    """

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self._supports_check_mode = True
        self._supports_async = False
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {**self._task.args, "token": secrets.token_hex(8)}
        first: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        result.update(first)
        if result.pop("armed", False):
            confirmed = self.confirm(arguments, task_vars, float(result["deadline_s"]))
            if confirmed.get("failed"):
                # Undone, so nothing has changed.
                result.update(confirmed, changed=False)
        return result

    def new_host(self, arguments: dict[str, Any]) -> str | None:
        """The address of the machine once it has changed, if that is another one."""
        return None

    def confirm(self, arguments: dict[str, Any], task_vars: Any, deadline_s: float) -> dict[str, Any]:
        """Confirm over a connection made for this, asking again until the machine can be reached.

        Past the deadline it is looked for at its old address as well, where it tells that it has undone the change.
        """
        new = self.new_host(arguments)
        old = self._connection.get_option("host") if new else None
        deadline = time.monotonic() + deadline_s
        while True:
            late = time.monotonic() > deadline
            for host in dict.fromkeys([old, new] if late else [new]):
                try:
                    return self._confirm_at(host, arguments, task_vars)
                except AnsibleConnectionFailure as error:
                    said = error
            if time.monotonic() > deadline + PATIENCE_S:
                if old:
                    self._connection.set_option("host", old)
                return {
                    "failed": True,
                    "msg": f"The machine could not be reached with its new state for {deadline_s:.0f} s: {said}. "
                    "It undoes an unconfirmed change by itself, and does so at a reboot at the latest. "
                    "Next: see whether it answers now, then run again.",
                }
            time.sleep(1)

    def _confirm_at(self, host: str | None, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        if host:
            self._connection.set_option("host", host)
        # With ControlPersist the next command would go through the connection that the change has left alive.
        self._connection.reset()
        return dict(self._execute_module(module_args={**arguments, "confirm": True}, task_vars=task_vars))
