# SPDX-License-Identifier: GPL-3.0-or-later
"""The judges of form: public tools, run as a person would run them; an objection is shown whole."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

JUDGES = {
    "ruff": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "library", "app/tars_app", "collections/ansible_collections/tars/home/plugins/module_utils"],
    "ansible-lint": ["ansible-lint", "--profile", "production", "--offline"],
    "shellcheck": ["shellcheck", "tars", ".ci/run"],
}


@pytest.mark.parametrize("name", JUDGES)
def test_clean(name: str) -> None:
    command = JUDGES[name]
    program = shutil.which(command[0], path=f"{BIN}:/usr/bin")
    assert program, f"{command[0]} is not installed; run the tests through ./tars test, which installs it"
    verdict = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
    )
    assert verdict.returncode == 0, f"{name} objects:\n{verdict.stdout}\n{verdict.stderr}"
