# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test may ask for: where the project lies, and documents made on the spot."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return Path(__file__).parents[1]
