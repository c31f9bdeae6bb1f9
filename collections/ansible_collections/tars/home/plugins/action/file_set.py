# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import shlex
import stat
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tars.home.plugins.modules.file_set import ARGUMENTS
from ansible_collections.tars.home.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name. Where nothing differs, which is nearly always, two commands on the machine tell so."""

    def attend(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENTS).validate(arguments)
        # The module says what is wrong with arguments.
        if checked.error_messages or not self.as_wanted(**checked.validated_parameters):
            return super().attend(arguments, task_vars)
        return {"changed": False, "changes": {}, "diff": []}

    def as_wanted(self, folders: list[dict[str, Any]], files: list[dict[str, Any]]) -> bool:
        """Whether all are there, with their content, owner and mode."""
        if not folders and not files:
            return True
        paths = [item["path"] for item in [*folders, *files]]
        question = shlex.join(["stat", "--format=%f %u %U %g %G", "--", *paths])
        if files:
            question += " && sha256sum --check --status"
        # The checksums go in as input: among arguments, or in an answer, logs would have what a secret can be tried by.
        answer = self._low_level_execute_command(question, in_data=sums(files))
        wanted = [(stat.S_IFDIR, item) for item in folders] + [(stat.S_IFREG, item) for item in files]
        lines = answer["stdout"].splitlines()
        return (
            answer["rc"] == 0
            and len(lines) == len(wanted)
            and all(alike(*one, line) for one, line in zip(wanted, lines, strict=True))
        )


def sums(files: list[dict[str, Any]]) -> bytes:
    """The files' wanted contents as `sha256sum --check` reads them."""
    lines = []
    for item in files:
        content = item["secret"] if item["content"] is None else item["content"]
        lines.append(f"{hashlib.sha256(content.encode()).hexdigest()}  {item['path']}\n")
    return "".join(lines).encode()


def alike(kind: int, item: dict[str, Any], line: str) -> bool:
    """Whether stat's line tells of an entry of that kind, with the wanted mode, owner and group."""
    try:
        mode, uid, user, gid, group = line.split()
        same = int(mode, 16) == kind | int(item["mode"], 8)
    except ValueError:
        # The module says what is wrong.
        return False
    return same and item["owner"] in (uid, user) and item["group"] in (gid, group)
