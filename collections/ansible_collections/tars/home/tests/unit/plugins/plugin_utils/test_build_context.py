# SPDX-License-Identifier: GPL-3.0-or-later
import io
import os
import subprocess
import sys
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


def test_a_selection_names_what_is_packed(folder: Path) -> None:
    selection = build_context.Selection(["app", "run"], ("*.md",))
    (folder / "app/notes.md").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(build_context.archive(folder, selection))) as tar:
        assert tar.getnames() == ["app/main.py", "run"]


def test_a_package_becomes_a_program_that_is_the_same_as_long_as_its_sources_are(tmp_path: Path) -> None:
    package = tmp_path / "hello"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts/__init__.py").write_text("")
    (package / "parts/text.py").write_text("GREETING = 'good morning'\n")
    (package / "cli.py").write_text(
        "from hello.parts.text import GREETING\n\ndef main():\n    print(GREETING)\n    return 3\n"
    )
    content = build_context.program(package, "hello.cli:main")
    os.utime(package / "cli.py", (0, 0))
    assert build_context.program(package, "hello.cli:main") == content
    program = tmp_path / "program"
    program.write_bytes(content)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stdout) == (3, "good morning\n"), done.stderr
