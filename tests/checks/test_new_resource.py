# SPDX-License-Identifier: GPL-3.0-or-later
"""A DSM resource consists of the five places that CONTRIBUTING.md lists: built in a copy, it is tested and routed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = "collections/ansible_collections/tars/home"
ADAPTER = "plugins/module_utils/dsm/nas/NAME.py"
ROUTING = "meta/runtime.yml"
LINE = "    dsm_package:\n      redirect: tars.home.dsm_info\n"


def places() -> list[str]:
    """Return the numbered paths of the section about DSM resources, below the collection."""
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a DSM resource\n")[2].partition("\n## ")[0]
    return re.findall(rf"^\d\. `{HOME}/([^`]+)`", section, re.MULTILINE)


def add(copy: Path, place: str) -> None:
    """Add one place of a resource `parcel` to a copy of the collection: that of `package`, with the other name."""
    target = copy / place.replace("NAME", "parcel")
    if place == ROUTING:
        text = target.read_text()
        assert LINE in text
        target.write_text(text.replace(LINE, LINE + LINE.replace("package", "parcel")))
        return
    source = copy / (
        "plugins/module_utils/dsm/nas/packages.py" if place == ADAPTER else place.replace("NAME", "package")
    )
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
    for file in target.iterdir() if target.is_dir() else [target]:
        text = re.sub(r"(plans import package)$", r"\1 as package", file.read_text(), flags=re.MULTILINE)
        text = re.sub(r"(plans\.|plans import |module: dsm_)package\b", r"\1parcel", text)
        file.write_text(text.replace("nas import packages as", "nas import parcel as"))


def test_a_resource_is_complete_with_the_listed_places(tmp_path: Path) -> None:
    assert len(places()) == 5
    copy = tmp_path / HOME
    shutil.copytree(ROOT / HOME, copy, ignore=shutil.ignore_patterns("__pycache__", "integration", "output"))
    for place in places():
        add(copy, place)
    unit = copy / "tests/unit/plugins"
    tests = [unit / "module_utils/test_planners.py", unit / "action/test_routing.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--import-mode=importlib", "-c", os.devnull, *tests],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'collections'}:{ROOT / 'library'}", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "test_case[dsm/parcel/start_and_stop]" in done.stdout
