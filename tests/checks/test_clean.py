# SPDX-License-Identifier: GPL-3.0-or-later
"""Public checkers of form, run as a person would run them; a failure shows their whole output."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

TYPED = [
    "library",
    "app/tars_app",
    "collections/ansible_collections/tars/home/plugins",
    "collections/ansible_collections/tars/home/tests",
    "tests",
]

CHECKS = {
    "ruff": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", *TYPED],
    "ansible-lint": ["ansible-lint", "--profile", "production", "--offline"],
    "biome": ["biome", "lint", "--error-on-warnings", "app/tars_app/web"],
}


def tracked() -> list[str]:
    """Return the tracked files, without symbolic links."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listing.split("\0") if name and not (ROOT / name).is_symlink() and (ROOT / name).exists()]


def shell_scripts() -> list[str]:
    """Return the tracked files whose first line names a shell."""
    names = []
    for name in tracked():
        with (ROOT / name).open("rb") as file:
            if re.match(rb"#!.*\b(sh|bash|dash)\b", file.readline(80)):
                names.append(name)
    return names


def run(*command: str) -> None:
    """Run a checker at the root of the repository; fail with its output unless it exits with 0."""
    program = shutil.which(command[0], path=f"{BIN}:/usr/bin")
    assert program, f"{command[0]} is not installed; run the tests through ./tars test, which installs it"
    result = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": os.path.expanduser("~"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"{command[0]} failed:\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("name", CHECKS)
def test_clean(name: str) -> None:
    if name == "biome" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip(f"biome is not published on PyPI for {sys.platform} {platform.machine()}")
    run(*CHECKS[name])


def test_shell_scripts() -> None:
    scripts = shell_scripts()
    assert {"tars", ".ci/run"} <= set(scripts)
    run("shellcheck", *scripts)


def test_spelling() -> None:
    run("codespell", *tracked())
