# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the backup's tests: the restic that the lab's desktop uses."""

from pathlib import Path

import pytest

from tars_lab import restic as lab_restic


@pytest.fixture(scope="session")
def restic() -> Path:
    """Return the path of a restic program, 0.18 or newer."""
    return lab_restic.binary()
