# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of archives, as a playbook calls it."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[8]


def looked_up(folder: Path, expression: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook that writes the value of an expression to the file `value` in the folder."""
    copy = {"content": f"{{{{ {expression} }}}}", "dest": str(folder / "value")}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.copy": copy}]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), folder / "play.yml"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
    )


def test_a_folder_becomes_an_archive_of_the_named_files(tmp_path: Path) -> None:
    for name in ("site/recorded/images.yml", "site/recorded/benchmark.jsonl", "site/other/x", "site/tars.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    options = "only=['tars.yml', 'recorded', 'absent'], exclude=['benchmark.*']"
    done = looked_up(tmp_path, f"lookup('tars.home.archive', '{tmp_path}/site', {options})")
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode((tmp_path / "value").read_bytes()))) as archive:
        assert archive.getnames() == ["recorded/images.yml", "tars.yml"]


def test_a_package_becomes_a_program_and_a_missing_one_is_reported(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/cli.py").write_text("def main(): ...\n")
    done = looked_up(tmp_path, f"lookup('tars.home.archive', '{tmp_path}/hello', program='hello.cli:main')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert base64.b64decode((tmp_path / "value").read_bytes()).startswith(b"#!/usr/bin/python3 -I\nPK")
    done = looked_up(tmp_path, f"lookup('tars.home.archive', '{tmp_path}/absent', program='absent.cli:main')")
    assert done.returncode != 0 and "found no folder" in done.stdout + done.stderr
