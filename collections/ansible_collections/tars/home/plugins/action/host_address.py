# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.confirmed import ConfirmedAction


class ActionModule(ConfirmedAction):
    """The module of this name, confirmed over a new connection to the new address."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if self._task.args.get("method") == "reservation" and "reservation" in result:
            self._display.display(f"    [{(task_vars or {}).get('inventory_hostname', '')}] {result['reservation']}")
        return result

    def new_host(self, arguments: dict[str, Any]) -> str | None:
        return str(arguments["address"]).partition("/")[0]
