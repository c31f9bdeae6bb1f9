# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.tars.home.plugins.plugin_utils import record
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction

HEADER = "# The digest each image had when it was first pulled. A later pull that differs fails.\n"


class ActionModule(ProgressAction):
    """The module of this name with progress, and the record on the controller."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        path = Path(str(arguments["record"])).expanduser()
        recorded = record.read(path)
        result = super().attend({**arguments, "recorded": recorded}, task_vars)
        digests = {**recorded, **result.get("digests", {})}
        if not result.get("failed") and not self._task.check_mode and digests != recorded:
            record.write(path, digests, HEADER)
            result["changed"] = True
        return result
