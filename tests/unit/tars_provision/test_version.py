# SPDX-License-Identifier: GPL-3.0-or-later
"""The version, which packaging tools read from more than one file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from tars_provision import __version__


def test_collection_and_application_have_the_version_of_the_project(root: Path) -> None:
    galaxy = yaml.safe_load((root / "collections/ansible_collections/tars/home/galaxy.yml").read_text())
    application = re.search(r'^__version__ = "(.*)"$', (root / "app/tars_app/__init__.py").read_text(), re.MULTILINE)
    assert application is not None
    assert galaxy["version"] == application[1] == __version__


def test_no_other_file_states_it(root: Path) -> None:
    for path in ("pyproject.toml", "app/pyproject.toml"):
        assert "version" in tomllib.loads((root / path).read_text())["project"]["dynamic"], path
