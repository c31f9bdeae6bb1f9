# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of a role would change, its verify.yml reports: it runs the same tasks in check mode, with a list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "collections/ansible_collections/tars/home/roles"
READ_ONLY = {"tars.home.os_release", "tars.home.nvidia_info", "tars.home.health_checks"}
MODULES = ("tars.home.", "ansible.builtin.copy", "ansible.builtin.file", "ansible.builtin.template")


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a file and of those that it imports."""
    for task in yaml.safe_load(path.read_text()):
        imported = task.get("ansible.builtin.import_tasks")
        if imported:
            yield from tasks(path.with_name(imported))
        else:
            yield task


def changing(role: str) -> dict[str, str]:
    """Return the names of the tasks that change the machine, with the variables that they register."""
    return {
        task["name"]: task.get("register", "")
        for task in tasks(ROLES / role / "tasks/main.yml")
        if any(key.startswith(MODULES) and key not in READ_ONLY for key in task)
    }


@pytest.mark.parametrize("role", ["docker_engine", "nvidia", "stack", "models", "backup"])
def test_verify_reports_every_result(role: str) -> None:
    assert changing(role)
    comparison, *checks = yaml.safe_load((ROLES / role / "tasks/verify.yml").read_text())
    assert comparison["ansible.builtin.import_tasks"] == "main.yml" and comparison["check_mode"] is True
    shown = yaml.safe_dump(checks) + (ROLES / role / "vars/main.yml").read_text()
    missing = [
        name for name, variable in changing(role).items() if not variable or f"{{{{ {variable} }}}}" not in shown
    ]
    assert not missing, f"the verify.yml of {role} does not report what these tasks would change: {missing}"
