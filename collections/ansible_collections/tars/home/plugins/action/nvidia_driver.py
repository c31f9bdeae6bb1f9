# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tars.home.plugins.module_utils.nvidia import cards
from ansible_collections.tars.home.plugins.module_utils.nvidia.driver import CardError, Driver
from ansible_collections.tars.home.plugins.modules.nvidia_driver import TASK, goal
from ansible_collections.tars.home.plugins.plugin_utils.module_action import validated
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """Install the driver, with progress. apt's offers are known only on the way, so every call may add changes."""

    PLANNED = ()

    def probe(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result for a machine without a card, None if it may have one or something is to be reported."""
        checked = validated(TASK, arguments)
        if checked.error_messages or self.ask(["sh", "-c", cards.absence_script()]) != (0, cards.ABSENT):
            return None
        try:
            return Driver(goal(checked.validated_parameters), self._task.check_mode).without_cards()
        except CardError:
            return None

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module until nothing is pending, and collect the changes of all calls."""
        self._changes: list[str] = []
        self._diff: list[dict[str, str]] = []
        return super().attend(arguments, task_vars)

    def call(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Call the module once."""
        result = super().call(arguments, task_vars)
        self._changes += [change for change in result.get("changes", ()) if change not in self._changes]
        self._diff += [part for part in result.get("diff", ()) if part not in self._diff]
        return {**result, "changes": self._changes, "diff": self._diff}
