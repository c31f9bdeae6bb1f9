# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout of another commit, with which the benchmark compares the second run."""

import subprocess
import sys
from pathlib import Path

from ...bench import plays, site_runs


def test_the_other_checkout_has_the_files_of_the_commit_and_the_state_of_the_lab(tmp_path: Path) -> None:
    other = site_runs.checkout_of("HEAD", tmp_path)
    committed = ["git", "show", "HEAD:playbooks/site.yml"]
    expected = subprocess.run(committed, cwd=plays.ROOT, check=True, capture_output=True, text=True).stdout
    assert (other / "playbooks/site.yml").read_text() == expected
    inventory = Path(plays.INVENTORY).parent
    for folder in site_runs.SITE_STATE:
        names = {path.name for path in (plays.ROOT / inventory / folder).rglob("*")}
        assert names <= {path.name for path in (other / inventory / folder).rglob("*")}


def test_a_command_imports_the_library_of_its_checkout(tmp_path: Path) -> None:
    other = site_runs.checkout_of("HEAD", tmp_path)
    program = "import tars_lab; print(tars_lab.__file__)"
    _, output = plays.timed(sys.executable, "-c", program, checkout=other)
    assert Path(output.strip()).is_relative_to(other / "library")
