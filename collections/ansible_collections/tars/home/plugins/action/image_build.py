# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.tars.home.plugins.modules.image_build import TASK
from ansible_collections.tars.home.plugins.plugin_utils import build_context
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """Build an image, with progress. The sources are sent from the controller if the image does not exist."""

    TRANSFERS_FILES = True
    module_task = TASK

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the tag from the sources, then build."""
        folder = Path(str(self._task.args["context"])).expanduser()
        if not (folder / "Dockerfile").is_file():
            return {
                "failed": True,
                "msg": f"{folder}: has no Dockerfile. Next: give the folder of the sources on the controller.",
            }
        self._context = build_context.archive(folder)
        build_args = {key: str(value) for key, value in (self._task.args.get("build_args") or {}).items()}
        self._task.args = {**self._task.args, "tag": build_context.tag(self._context, build_args)}
        return super().run(tmp, task_vars)

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module until the image is built; send the sources when it needs them."""
        result = super().attend(arguments, task_vars)
        if result.pop("needs_archive", False):
            result = super().attend({**arguments, "archive": self._send()}, task_vars)
        return result

    def _send(self) -> str:
        """Copy the sources to the machine; return their path in the task's temporary folder, which is removed later."""
        remote = self._connection._shell.join_path(self._make_tmp_path(), "context.tar")
        descriptor, local = tempfile.mkstemp(suffix=".tar")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._context)
            self._transfer_file(local, remote)
        finally:
            os.unlink(local)
        return str(remote)
