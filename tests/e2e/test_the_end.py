# SPDX-License-Identifier: GPL-3.0-or-later
"""What the story leaves behind on the computer that carried its machines: nothing. The last of its files by name."""

import pytest

from ..conftest import tars, traces

pytestmark = [pytest.mark.e2e, pytest.mark.lab]


def test_after_lab_down_the_host_is_as_before(before: dict[str, set[str]]) -> None:
    tars("lab", "down")
    assert traces() == before
