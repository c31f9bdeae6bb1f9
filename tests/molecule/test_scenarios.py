# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of single roles of the collection: the Molecule scenarios, run as on the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
QUICKEST = "base"

pytestmark = pytest.mark.lab


def run(scenario: str) -> None:
    done = subprocess.run(
        [BIN / "molecule", "test", "--scenario-name", scenario],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1", "MOLECULE_COMMAND_BORDERS": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    recap = re.search(rf"^{scenario} +: actions=\d+ +successful=(\d+) .* failed=(\d+)$", done.stdout, re.MULTILINE)
    assert recap and int(recap[1]) >= 6 and recap[2] == "0", done.stdout


def test_every_role_has_a_scenario() -> None:
    roles = (ROOT / "collections/ansible_collections/tars/home/roles").iterdir()
    assert sorted(role.name for role in roles) == SCENARIOS


def test_the_quickest_scenario() -> None:
    """In every run of the tests, on both releases of Debian; the other scenarios only on request."""
    run(QUICKEST)


@pytest.mark.molecule
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str) -> None:
    run(scenario)
