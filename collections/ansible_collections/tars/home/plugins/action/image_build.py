# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.tars.home.plugins.modules.image_build import question, sources_of
from ansible_collections.tars.home.plugins.plugin_utils import build_context
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name with progress. Sends the sources from the controller where the image is missing.

    Where it is there, which is nearly always, asking for it is all.
    """

    TRANSFERS_FILES = True

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        folder = Path(str(arguments["context"])).expanduser()
        if not (folder / "Dockerfile").is_file():
            return {
                "failed": True,
                "msg": f"{folder} holds no Dockerfile. Give the folder of the sources on the controller.",
            }
        context = build_context.archive(folder)
        build_args = {key: str(value) for key, value in (arguments.get("build_args") or {}).items()}
        arguments["tag"] = build_context.tag(context, build_args)
        image = f"{arguments.get('name')}:{arguments['tag']}"
        if self.has(image):
            return {"changed": False, "image": image}
        result = super().attend(arguments, task_vars)
        if result.pop("needs_archive", False):
            arguments["archive"] = self.send(context)
            result = super().attend(arguments, task_vars)
        return result

    def has(self, image: str) -> bool:
        """Whether the image is there. What a build left that ended after its run was interrupted goes away."""
        command = shlex.join(question(image))
        if not self._task.check_mode:
            command += f" && rm -f {shlex.quote(sources_of(image))}"
        return bool(self._low_level_execute_command(command)["rc"] == 0)

    def send(self, context: bytes) -> str:
        """Copy an archive to the machine. Returns its path there, which goes away with the task's temporary folder."""
        remote = self._connection._shell.join_path(self._make_tmp_path(), "context.tar")
        descriptor, local = tempfile.mkstemp(suffix=".tar")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(context)
            self._transfer_file(local, remote)
        finally:
            os.unlink(local)
        return str(remote)
