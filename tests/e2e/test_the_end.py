# SPDX-License-Identifier: GPL-3.0-or-later
"""After the story, nothing of the lab is left on the computer. By its name, this is the last file of the story."""

import pytest

from ..conftest import tars, traces

pytestmark = [pytest.mark.e2e, pytest.mark.lab]


def test_after_lab_down_the_host_is_as_before(before: dict[str, set[str]]) -> None:
    tars("lab", "down")
    assert traces() == before
