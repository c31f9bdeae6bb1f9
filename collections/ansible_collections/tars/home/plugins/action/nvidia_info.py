# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia import facts
from ansible_collections.tars.home.plugins.modules.nvidia_info import TASK, problems, result
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction, validated


class ActionModule(ModuleAction):
    """Report the cards; without the module if one command reads all and nothing is an error."""

    def probe(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result where the cards work or none is required, else None."""
        checked = validated(TASK, arguments)
        if checked.error_messages:
            return None
        params, probe = checked.validated_parameters, facts.probe()
        seen = probe.parse(*self.ask(probe.command))
        return None if seen is None or problems(seen, params) else result(seen, params)
