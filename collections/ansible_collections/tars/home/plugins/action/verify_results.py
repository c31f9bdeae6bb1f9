# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.tars.home.plugins.module_utils.resource.differences import differences

OPTIONS = {"results": {"type": "dict", "required": True}, "next_step": {"type": "str", "required": True}}


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no annotations  # type: ignore[misc]  # Ansible has no annotations
    """Fail with the differences in registered results."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the differences; failed if there are any."""
        self._supports_check_mode = True
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        different = [
            difference
            for subject, registered in options["results"].items()
            for difference in differences(subject, registered)
        ]
        result["differences"] = [difference._asdict() for difference in different]
        if different:
            result["failed"] = True
            result["msg"] = "\n".join([*map(str, different), options["next_step"]])
        return result
