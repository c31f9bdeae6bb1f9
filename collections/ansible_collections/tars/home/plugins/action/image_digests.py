# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction

HEADER = "# The digest each image had when it was first pulled. A later pull that differs fails.\n"


class ActionModule(ProgressAction):
    """The module of this name with progress, and the record on the controller."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        record = Path(str(arguments["record"])).expanduser()
        recorded = read(record)
        result = super().attend({**arguments, "recorded": recorded}, task_vars)
        digests = {**recorded, **result.get("digests", {})}
        if not result.get("failed") and not self._task.check_mode and digests != recorded:
            write(record, digests)
            result["changed"] = True
        return result


def read(record: Path) -> dict[str, str]:
    """Image -> digest. Empty where nothing is recorded yet."""
    return yaml.safe_load(record.read_text(encoding="utf-8")) or {} if record.exists() else {}


def write(record: Path, digests: dict[str, str]) -> None:
    """Replace the record whole."""
    record.parent.mkdir(parents=True, exist_ok=True)
    fresh = record.with_suffix(".new")
    fresh.write_text(HEADER + yaml.safe_dump(digests), encoding="utf-8")
    os.replace(fresh, record)
