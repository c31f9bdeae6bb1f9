# SPDX-License-Identifier: GPL-3.0-or-later
"""How long ago something was, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tars_backup import instants

NOW = datetime(2026, 11, 30, 12, tzinfo=instants.UTC)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-1), "in the future"),
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_age(passed: timedelta, words: str) -> None:
    assert instants.age(NOW - passed, NOW) == words
