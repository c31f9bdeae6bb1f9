# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan would change, the checks of a role report: both run the same tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "collections/ansible_collections/tars/home/roles"
COMPARED = ["base", "docker_engine", "host_address", "host_firewall", "names", "nfs_mount"]
CHECKED_OTHERWISE = {"os_release", "health_checks"}


def tasks(role: str, file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROLES / role / "tasks" / file).read_text()))


@pytest.mark.parametrize("role", COMPARED)
def test_the_checks_run_the_tasks_of_the_role_in_check_mode(role: str) -> None:
    (comparison,) = [task for task in tasks(role, "verify.yml") if "ansible.builtin.import_tasks" in task]
    assert comparison["ansible.builtin.import_tasks"] == "main.yml" and comparison["check_mode"] is True


@pytest.mark.parametrize("role", COMPARED)
def test_every_difference_is_a_failed_check(role: str) -> None:
    """A prerequisite that another check implies has none of its own: a package whose service is compared."""
    checks = (ROLES / role / "tasks/verify.yml").read_text()
    managed = [
        task
        for task in tasks(role, "main.yml")
        for module in task
        if module.startswith("tars.home.") and module.removeprefix("tars.home.") not in CHECKED_OTHERWISE
    ]
    results = [task["register"] for task in managed if "verify" in task["tags"]]
    assert results and [name for name in results if name not in checks] == []
