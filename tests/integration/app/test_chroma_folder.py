# SPDX-License-Identifier: GPL-3.0-or-later
"""Chroma's folder is deleted, swapped for an older copy, or truncated: the next passes of the worker mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tars_app.dependencies import make_dependencies
from tars_app.documents import repository
from tars_app.documents.follow import follow_changes, in_line
from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers.model import Section
from tars_app.maintenance import MOST_FAILURES_OF_CHROMA, MaintenanceLoop

from .conftest import Server, start_chroma
from .databases import migrated_database
from .test_history import SENTENCES, SOURCE, searchable, vector_of, write

pytestmark = pytest.mark.integration


TREES = [Section(number, f"Page {number} names the {number}th apple tree.") for number in range(1, 1400)]
"""More than Chroma keeps in its database before it writes the index."""


def delete(folder: Path, older: Path) -> None:
    shutil.rmtree(folder)


def swap(folder: Path, older: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(older, folder)


def truncate(folder: Path, older: Path) -> None:
    """Cut the files of the index; the database beside them lists its vectors as before."""
    files = [file for file in folder.rglob("*.bin") if file.stat().st_size]
    assert files, "there is an index on disk"
    for file in files:
        os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize("damage", [delete, swap, pytest.param(truncate, marks=pytest.mark.steps)])
def test_a_damaged_folder_is_filled_again(
    postgres: Server, tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    server = start_chroma(tmp_path)
    folder = tmp_path / "chroma"
    with migrated_database(postgres) as options:
        own = {"chroma_url": server.environment["CHROMA_URL"], "heartbeat": tmp_path / "heartbeat"}
        made = make_dependencies(options.model_copy(update=own))
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents/LLM_docs"), available=True, detail=None)
            if damage is truncate:
                write(made, "trees.pdf", TREES)
            write(made, "a.txt", [Section(NO_PAGE, SENTENCES[0])])
            follow_changes(made)
            server.stop()
            shutil.copytree(folder, tmp_path / "older")
            server.start()
            # As many vectors as before, of other passages: the count alone does not show it.
            write(made, "a.txt", [Section(NO_PAGE, SENTENCES[1])])
            follow_changes(made)
            server.stop()
            damage(folder, tmp_path / "older")
            loop = MaintenanceLoop(made, lambda _: None, lambda _: None, lambda _: None)
            for _ in range(MOST_FAILURES_OF_CHROMA + 1 if damage is truncate else 1):
                server.stop()
                server.start()  # as Docker does with a container that ended
                loop.run_pass()
            assert in_line(made) and set(made.vectors.ids()) == searchable(made.pool)
            for value in map(bytes.fromhex, made.vectors.ids()[::50]):
                assert made.vectors.nearest(vector_of(value), 1)[0][0] == value
    server.stop()
