# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of archives, as a playbook calls it."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

from .playbook import looked_up


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
    for missing in (f"{tmp_path}/absent", ""):
        done = looked_up(tmp_path, f"lookup('tars.home.archive', '{missing}', program='absent.cli:main')")
        assert done.returncode != 0 and f"'{missing}': found no folder" in done.stdout + done.stderr
