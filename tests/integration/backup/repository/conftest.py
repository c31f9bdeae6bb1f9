# SPDX-License-Identifier: GPL-3.0-or-later
"""Desktops with repositories, for the verbs that need no services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .desktop import PASSWORD, Desktop
from .quick_key import replace_key


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
