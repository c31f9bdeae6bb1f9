# SPDX-License-Identifier: GPL-3.0-or-later
"""The packed program: the same bytes at every build, and it runs on its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tars_backup import program_archive


def test_equal_bytes_at_every_build() -> None:
    assert program_archive.build() == program_archive.build()


def test_runs_alone_without_environment(tmp_path: Path) -> None:
    program = tmp_path / "tars-backup"
    program.write_bytes(program_archive.build())
    program.chmod(0o755)
    done = subprocess.run([program, "unknown", "--json"], env={}, cwd="/", capture_output=True, text=True, timeout=30)
    assert done.returncode == 2, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["schema"], answer["command"], answer["ok"], answer["error"]["code"]) == (1, "unknown", False, 2)
