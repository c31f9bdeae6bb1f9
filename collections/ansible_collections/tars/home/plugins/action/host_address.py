# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils.confirmed import ConfirmedAction


class ActionModule(ConfirmedAction):
    """The module of this name, confirmed over a new connection to the new address."""

    def confirm(self, arguments: dict[str, Any], task_vars: Any, deadline_s: float) -> dict[str, Any]:
        self._connection.set_option("host", str(arguments["address"]).partition("/")[0])
        return super().confirm(arguments, task_vars, deadline_s)
