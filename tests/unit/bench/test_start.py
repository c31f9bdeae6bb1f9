# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks start as their own docstrings say, from the top folder of a checkout."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = [path for path in sorted((ROOT / "tests/bench").glob("*.py")) if "__main__" in path.read_text()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_starts_with_help_as_documented(script: Path) -> None:
    docstring = ast.get_docstring(ast.parse(script.read_text())) or ""
    commands = re.findall(r"^ *(?:PYTHONPATH=(\w+) )?\.venv/bin/python (-m [\w.]+)", docstring, flags=re.MULTILINE)
    assert commands, f"{script} does not say how it is started"
    for folder, command in set(commands):
        words = [sys.executable, *command.split(), "--help"]
        environment = {**os.environ, "PYTHONPATH": folder}
        finished = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert finished.returncode == 0, finished.stderr
        assert f"usage: python {command}" in finished.stdout


def test_benchmarks_find_the_collection_of_this_checkout() -> None:
    program = "from tests.bench.collection import collection; print(collection('plugin_utils.build_context').__file__)"
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert Path(finished.stdout.strip()).is_relative_to(ROOT / "collections"), finished.stderr
