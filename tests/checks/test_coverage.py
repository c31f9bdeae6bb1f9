# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests run the lines and branches of tars_backup; pyproject.toml has the limit in per cent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# With copies to a server, and without the commands that are ended at each of their steps: few steps run every line.
TESTS = ["tests/unit/tars_backup", "tests/integration/backup", "-q", "-m", "not steps"]


@pytest.mark.coverage
@pytest.mark.timeout(5400)
def test_lines_and_branches_of_tars_backup(tmp_path: Path) -> None:
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}

    def coverage(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coverage", *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    done = coverage("run", "-m", "pytest", *TESTS)
    assert done.returncode == 0, done.stdout
    assert coverage("combine", "--quiet").returncode == 0
    report = coverage("report")
    assert report.returncode == 0, report.stdout
