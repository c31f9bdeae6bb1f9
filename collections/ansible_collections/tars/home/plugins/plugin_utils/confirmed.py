# SPDX-License-Identifier: GPL-3.0-or-later
"""An action whose module changes what its own connection depends on, and confirms the change over a new one."""

from __future__ import annotations

import secrets
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction

PATIENCE_S = 30
"""Seconds past the deadline for which a machine that does not answer is asked for the outcome of the change."""


class ConfirmedAction(ModuleAction):
    """Run the module of the task's name, and again with `confirm` where it has armed a rollback.

    The module takes `token`, the name of this one change, and returns `armed: true` once the change is in force. If
    this process dies at any point, the machine undoes what is not confirmed.
    """

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module, and confirm what it has changed."""
        arguments = {**arguments, "token": secrets.token_hex(8)}
        result = self.call(arguments, task_vars)
        if result.pop("armed", False):
            confirmed = self.confirm(arguments, task_vars, float(result["deadline_s"]))
            if confirmed.get("failed"):
                # Undone, so nothing has changed.
                result.update(confirmed, changed=False)
        return result

    def new_host(self, arguments: dict[str, Any]) -> str | None:
        """Return the address of the machine after the change, None if it keeps its address."""
        return None

    def confirm(self, arguments: dict[str, Any], task_vars: dict[str, Any], deadline_s: float) -> dict[str, Any]:
        """Confirm over a connection made for this, trying again until the machine can be reached.

        After the deadline the old address is tried as well: there the machine reports that it has undone the change.
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
                    reason = error
            if time.monotonic() > deadline + PATIENCE_S:
                if old:
                    self._connection.set_option("host", old)
                return {
                    "failed": True,
                    "msg": f"The machine could not be reached with its new state for {deadline_s:.0f} s: {reason}. "
                    "It undoes an unconfirmed change by itself, and does so at a reboot at the latest. "
                    "Next: check whether it answers now, then run again.",
                }
            time.sleep(1)

    def _confirm_at(self, host: str | None, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if host:
            self._connection.set_option("host", host)
        # With ControlPersist the next command would go through the connection that the change has left alive.
        self._connection.reset()
        return self.call({**arguments, "confirm": True}, task_vars)
