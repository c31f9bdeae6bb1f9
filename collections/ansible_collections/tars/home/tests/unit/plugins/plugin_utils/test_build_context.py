# SPDX-License-Identifier: GPL-3.0-or-later
import io
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.plugin_utils import build_context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    (tmp_path / "app/__pycache__/main.cpython-313.pyc").write_bytes(b"x")
    (tmp_path / "app/main.py").write_text("print(1)\n")
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o700)
    return tmp_path


def test_sources_alone_are_in_it(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(build_context.archive(folder))) as tar:
        modes = {entry.name: entry.mode for entry in tar}
    assert modes == {".dockerignore": 0o644, "Dockerfile": 0o644, "app/main.py": 0o644, "run": 0o755}


def test_it_is_the_same_as_long_as_the_sources_are(folder: Path) -> None:
    before = build_context.archive(folder)
    os.utime(folder / "run", (0, 0))
    (folder / "app/__pycache__/other.pyc").write_bytes(b"y")
    assert build_context.archive(folder) == before
    (folder / "app/main.py").write_text("print(2)\n")
    assert build_context.archive(folder) != before


def test_the_tag_names_sources_and_arguments() -> None:
    tag = build_context.tag(b"x", {"A": "1", "B": "2"})
    assert len(tag) == 12 and tag == build_context.tag(b"x", {"B": "2", "A": "1"})
    assert tag != build_context.tag(b"y", {"A": "1", "B": "2"}) and tag != build_context.tag(b"x", {"A": "1"})
