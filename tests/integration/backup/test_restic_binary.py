# SPDX-License-Identifier: GPL-3.0-or-later
"""The restic program that the tests of the backup run."""

import subprocess
from pathlib import Path


def test_restic_is_new_enough(restic: Path) -> None:
    """0.18 is the first version whose errors have a code in JSON."""
    output = subprocess.run([restic, "version"], check=True, capture_output=True, text=True).stdout
    version = tuple(int(part) for part in output.split()[1].split("."))
    assert version >= (0, 18, 0)
