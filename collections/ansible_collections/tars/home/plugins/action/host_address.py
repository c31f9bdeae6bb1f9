# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.modules.host_address import TASK
from ansible_collections.tars.home.plugins.plugin_utils.confirmed import ConfirmedAction


class ActionModule(ConfirmedAction):
    """Set the address, confirmed over a new connection to it, and show the DHCP reservation where one is needed."""

    module_task = TASK

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        if self._task.args.get("method") == "reservation" and "reservation" in result:
            self.show(task_vars or {}, result["reservation"])
        return result

    def new_host(self, arguments: dict[str, Any]) -> str | None:
        """Return the new address of the machine."""
        return str(arguments["address"]).partition("/")[0]
