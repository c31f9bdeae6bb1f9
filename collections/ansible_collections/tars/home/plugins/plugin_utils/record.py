# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests that are recorded at the first contact: a YAML file on the controller, and the action that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.tars.home.plugins.module_utils.system.files import write_file
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


def read(path: Path) -> dict[str, str]:
    """Return the digests by name; empty where nothing is recorded yet."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def write(path: Path, digests: Mapping[str, str], header: str) -> None:
    """Replace the whole record; `header` is a comment for readers."""
    write_file(str(path.absolute()), header + yaml.safe_dump(dict(digests)))


class RecordingAction(ProgressAction):
    """Give the module what the file `record` holds as `recorded`, and add the digests that it returns to the file."""

    header = ""
    """A comment at the start of the file."""

    def probe(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result of the probe, compared with the record, if nothing has to change."""
        path = self.path(arguments)
        recorded = read(path) if path else {}
        result = super().probe({**arguments, "recorded": recorded})
        # A digest without a record is recorded after the module.
        return None if result and path and not set(result["digests"]) <= set(recorded) else result

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module until its work is done, then write new digests to the record."""
        path = self.path(arguments)
        recorded = read(path) if path else {}
        result = self.complete({**arguments, "recorded": recorded}, task_vars)
        digests = {**recorded, **result.get("digests", {})}
        if path and not result.get("failed") and not self._task.check_mode and digests != recorded:
            write(path, digests, self.header)
            result["changed"] = True
        return result

    def complete(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module until its work is done."""
        return super().attend(arguments, task_vars)

    def path(self, arguments: Mapping[str, Any]) -> Path | None:
        """Return the record's path, None where nothing is to be recorded."""
        return Path(str(arguments["record"])).expanduser() if arguments.get("record") else None
