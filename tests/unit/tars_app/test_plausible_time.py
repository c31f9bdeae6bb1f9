# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.documents.model import EARLIEST, MAX_CLOCK_SKEW, plausible_time

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SECOND = 10**9


@pytest.mark.parametrize(
    ("mtime_ns", "expected", "note"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC), None),
        (1_700_000_000_123_456_789, datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC), None),
        (-SECOND // 2, datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=UTC), None),
        (int((NOW + timedelta(hours=2)).timestamp()) * SECOND, NOW + timedelta(hours=2), None),
        (10_413_792_000 * SECOND, NOW, "dated 2300-01-01"),
        (2**63, NOW, "dated 2262-04-11"),
        (253_402_300_800 * SECOND, NOW, "dated after the year 9999"),
        ((2**63 - 1) * SECOND, NOW, "dated after the year 9999"),
        (-(2**63) * SECOND, EARLIEST, "dated before the year 1"),
        (-3_000_000_000 * SECOND, EARLIEST, "dated 1874-12-07"),
    ],
)
def test_plausible_time(mtime_ns: int, expected: datetime, note: str | None) -> None:
    time, shown = plausible_time(mtime_ns, NOW)
    assert time == expected
    assert shown is None if note is None else note in (shown or "") and (shown or "").endswith("is used instead.")


@given(st.integers(-(2**63) * SECOND, 2**63 * SECOND))
def test_every_time_that_a_file_system_stores_is_usable(mtime_ns: int) -> None:
    time, note = plausible_time(mtime_ns, NOW)
    assert EARLIEST <= time <= NOW + MAX_CLOCK_SKEW and (note is None or len(note) < 200)
