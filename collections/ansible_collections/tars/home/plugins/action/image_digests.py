# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.home.plugins.module_utils.docker import images
from ansible_collections.tars.home.plugins.module_utils.system import disk_space as room
from ansible_collections.tars.home.plugins.modules.image_digests import ARGUMENTS
from ansible_collections.tars.home.plugins.plugin_utils import record
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction

HEADER = "# The digest each image had when it was first pulled. A later pull that differs fails.\n"


class ActionModule(ProgressAction):
    """The module of this name with progress, the record on the controller, and the room asked for before anything.

    Where all images are there as recorded, which is nearly always, one question to the machine is all.
    """

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENTS).validate(arguments)
        if checked.error_messages:
            return {"failed": True, "msg": "; ".join(checked.error_messages)}
        params = checked.validated_parameters
        names, path = list(dict.fromkeys(params["images"])), Path(params["record"]).expanduser()
        recorded = record.read(path)
        wish = params["room"] or {"places": [], "mib": 0}
        free, here = self.ask(wish["places"], names)
        if refusal := room.refusal(wish["places"], wish["mib"], free):
            return {"failed": True, "msg": refusal}
        if not images.wanted(names, here, recorded) and not images.contradictions(recorded, here):
            return images.report(names, recorded, here, here)
        result = super().attend({**arguments, "recorded": recorded}, task_vars)
        digests = {**recorded, **result.get("digests", {})}
        if not result.get("failed") and not self._task.check_mode and digests != recorded:
            record.write(path, digests, HEADER)
            result["changed"] = True
        return result

    def ask(self, places: list[str], names: list[str]) -> tuple[str, dict[str, str]]:
        """What df says of the places, and the digests of those images that are on the machine."""
        # What inspect complains of are images that are not here, or a Docker: the module deals with both.
        commands = [shlex.join(room.query(places)), "echo", shlex.join(images.query(names)) + " 2>/dev/null"]
        answer = "\n".join(self._low_level_execute_command("; ".join(commands))["stdout"].splitlines())
        free, _, inspected = answer.partition("\n\n") if places else ("", "", answer)
        return free, images.present(names, inspected)
