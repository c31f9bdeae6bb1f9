# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tars_app.snapshots.names import time_of

HOME = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("GMT+01-2024.01.14-05.00.00", "2024-01-14T04:00:00"),
        ("GMT-05-2026.01.30-20.00.01", "2026-01-31T01:00:01"),
        ("GMT-04-2026.07.16-10.15.01", "2026-07-16T14:15:01"),
        ("GMT+0530-2024.06.01-00.00.00", "2024-05-31T18:30:00"),
        ("GMT+05:45-2024.06.01-00.00.00", "2024-05-31T18:15:00"),
        ("GMT-2024.01.14-04.00.00", "2024-01-14T04:00:00"),
        ("@GMT-2024.01.14-04.00.00", "2024-01-14T04:00:00"),
        ("2024.07.14-05.00.00", "2024-07-14T03:00:00"),
        # The hour that occurs twice: with an offset it is exact, without one it is the first.
        ("GMT+02-2024.10.27-02.30.00", "2024-10-27T00:30:00"),
        ("GMT+01-2024.10.27-02.30.00", "2024-10-27T01:30:00"),
        ("2024.10.27-02.30.00", "2024-10-27T00:30:00"),
        # The hour that does not exist.
        ("2024.03.31-02.30.00", "2024-03-31T01:30:00"),
    ],
)
def test_the_name_states_the_time(name: str, moment: str) -> None:
    assert time_of(name, HOME) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "before the move",
        "GMT+01",
        "GMT+01-2024.13.14-05.00.00",
        "GMT+01-2024.02.30-05.00.00",
        "GMT+25-2024.01.14-05.00.00",
        "GMT+01-2024.01.14-24.00.00",
        "GMT+01-2024.01.14-05.00.00.partial",
        "GMT+1-2024.01.14-05.00.00",
        "GMT+14-0001.01.01-00.00.00",
        "GMT+01-٢٠٢٤.01.14-05.00.00",
    ],
)
def test_other_names_have_no_time(name: str) -> None:
    assert time_of(name, HOME) is None
