# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop with a copy, whose key opens quickly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tars_backup.restic import Restic

from ..desktop import PASSWORD, Desktop
from ..quick_key import replace_key
from .pair import NAME, Pair


@pytest.fixture(scope="session")
def copy_template(template: Path, tmp_path_factory: pytest.TempPathFactory, restic: Path) -> Path:
    """Return the empty repository of a copy of `template`, whose key opens in milliseconds; never written."""
    folder = tmp_path_factory.mktemp("copy")
    desktop = Desktop(folder / "desktop", restic)
    desktop.use(template)
    pair = Pair(desktop, folder / NAME)
    pair.init()
    master_key = pair.restic("cat", "masterkey")
    replace_key(pair.copied.repository, PASSWORD, json.dumps(json.loads(master_key)).encode())
    return pair.copied.repository


@pytest.fixture
def pair(desktop: Desktop, tmp_path: Path, copy_template: Path) -> Pair:
    """Return a desktop with a copy that has a repository."""
    pair = Pair(desktop, tmp_path / NAME)
    shutil.copytree(copy_template, pair.copied.repository)
    pair.record(Restic(pair.copied).repository_id())
    return pair
