# SPDX-License-Identifier: GPL-3.0-or-later
"""Desktops with repositories, for the verbs that need no services."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_backup.restoring import checks, database

from .desktop import PASSWORD, Desktop
from .household import Household
from .quick_key import replace_key
from .stack import SERVICES, create_cluster


@pytest.fixture
def bare(tmp_path: Path, restic: Path) -> Desktop:
    """Return a desktop without a repository."""
    return Desktop(tmp_path / "desktop", restic)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, restic: Path) -> Path:
    """Return an empty repository whose key opens in milliseconds; never written."""
    folder = tmp_path_factory.mktemp("template") / "desktop"
    created = Desktop(folder, restic)
    created.init()
    document = json.loads(created.stock_restic("cat", "masterkey").stdout)
    replace_key(created.repository, PASSWORD, json.dumps(document).encode())
    return created.repository


@pytest.fixture
def desktop(bare: Desktop, template: Path) -> Desktop:
    """Return a desktop with a repository and a document."""
    bare.use(template)
    (bare.documents / "bill.txt").write_text("The bill of March is 42 euros.\n")
    return bare


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """Return the data folder of an empty database, never started."""
    folder = workspace / "cluster"
    folder.mkdir(mode=0o700)
    create_cluster(folder)
    return folder


@pytest.fixture(scope="session")
def prepared_home(workspace: Path, restic: Path, template: Path, cluster: Path) -> Path:
    """Return the folder of a stopped household with a backup of one document, to which another one was added since."""
    folder = workspace / "prepared-home"
    folder.mkdir()
    household = Household(folder, restic, template, cluster)
    household.execute("CREATE TABLE documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL)")
    household.execute("INSERT INTO documents (name) VALUES ('boiler')")
    household.execute("CREATE SCHEMA volatile; CREATE TABLE volatile.scans (source text)")
    household.queue.set("task", "read the boiler")
    household.run()
    household.execute("INSERT INTO documents (name) VALUES ('roof')")
    household.queue.set("task", "read the roof")
    household.services.stop(SERVICES, deadline_s=60)
    return folder


@pytest.fixture
def home(
    workspace: Path,
    restic: Path,
    template: Path,
    cluster: Path,
    prepared_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Household]:
    """Return a household like the prepared one, with services of its own."""
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=workspace))
    subprocess.run(["cp", "-a", f"{prepared_home}/.", folder], check=True)
    settings = folder / "backup.json"
    settings.write_text(settings.read_text().replace(str(prepared_home), str(folder)))
    household = Household(folder, restic, template, cluster)
    monkeypatch.setattr(os, "sync", lambda: None)  # it waits for every disk of this computer
    for module in (checks, database):
        monkeypatch.setattr(module, "_PAUSE_S", 0.05)
    yield household
    household.services.stop(SERVICES, deadline_s=60)
    for service in SERVICES:
        household.services.remove_scratch(service)
    shutil.rmtree(folder)
