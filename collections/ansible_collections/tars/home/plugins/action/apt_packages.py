# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.home.plugins.module_utils.system import apt
from ansible_collections.tars.home.plugins.modules.apt_packages import ARGUMENTS
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name, with progress. Where dpkg misses nothing, which is nearly always, asking it is all."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENTS).validate(arguments)
        names = checked.validated_parameters.get("names")
        # The module says what is wrong with arguments.
        if not names or checked.error_messages:
            return super().attend(arguments, task_vars)
        answer = self._low_level_execute_command(shlex.join(apt.query_command(names)))["stdout"]
        missing = apt.missing(names, answer)
        return super().attend(arguments, task_vars) if missing else apt.report(names, missing)
