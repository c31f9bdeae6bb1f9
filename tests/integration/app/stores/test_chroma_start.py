# SPDX-License-Identifier: GPL-3.0-or-later
"""Chroma's database is truncated, so that Chroma does not start: its container empties the folder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tars_app.adapters.postgres import migrate
from tars_app.dependencies import make_dependencies
from tars_app.documents import repository
from tars_app.documents.follow import follow_changes, in_line
from tars_app.documents.parsers.model import Section
from tars_app.maintenance import MaintenanceLoop

from ..conftest import Server, start_chroma
from ..databases import empty_database
from ..test_history import SENTENCES, SOURCE, searchable, write

pytestmark = pytest.mark.integration

STARTS = 3


def entrypoint(root: Path, folder: Path) -> list[str]:
    """The entrypoint of Chroma's container in the stack, with another folder."""
    template = root / "collections/ansible_collections/tars/home/roles/stack/templates/compose.yaml.j2"
    [script] = re.findall(r"entrypoint: \[bash, -c, '(.*chroma.*)', chroma\]", template.read_text())
    return ["bash", "-c", script.replace("$$", "$").replace("/data", str(folder)), "chroma"]


def test_a_truncated_database_is_deleted_and_filled_again(root: Path, postgres: Server, tmp_path: Path) -> None:
    server = start_chroma(tmp_path)
    folder = tmp_path / "chroma"
    program = Path(server.command[0])
    server.environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    with empty_database(postgres) as options:
        own = {"chroma_url": server.environment["CHROMA_URL"], "heartbeat": tmp_path / "heartbeat"}
        made = make_dependencies(options.model_copy(update=own))
        migrate(made.settings)
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents/LLM_docs"), available=True, detail=None)
            write(made, "a.txt", [Section(number, text) for number, text in enumerate(SENTENCES[:5], 1)])
            follow_changes(made)
            server.stop()
            database = folder / "chroma.sqlite3"
            os.truncate(database, database.stat().st_size // 2)
            server.command = [*entrypoint(root, folder), *server.command[1:]]
            for _ in range(STARTS):
                ended = subprocess.run(
                    server.command, env=os.environ | server.environment, capture_output=True, text=True, timeout=180
                )
                assert ended.returncode and "malformed" in ended.stderr
            server.start()
            MaintenanceLoop(made, lambda _: None, lambda _: None, lambda _: None).run_pass()
            assert in_line(made) and set(made.vectors.ids()) == searchable(made.pool)
    server.stop()


def test_a_folder_is_kept_where_chroma_answered_between_two_starts(root: Path, tmp_path: Path) -> None:
    """The health check of the container removes the count of starts."""
    command = entrypoint(root, tmp_path)
    program = tmp_path / "bin" / "chroma"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    (tmp_path / "chroma.sqlite3").write_text("vectors")
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    for _ in range(4):
        for _ in range(STARTS):
            subprocess.run(command, check=True, env=environment)
        (tmp_path / "starts").unlink()
    assert (tmp_path / "chroma.sqlite3").exists()


def test_a_folder_is_kept_where_starts_cannot_be_counted(root: Path, tmp_path: Path) -> None:
    (tmp_path / "starts").symlink_to("/absent/starts")
    (tmp_path / "chroma.sqlite3").write_text("vectors")
    subprocess.run(entrypoint(root, tmp_path), check=False, env=os.environ | {"PATH": "/usr/bin:/bin"})
    assert (tmp_path / "chroma.sqlite3").exists()
