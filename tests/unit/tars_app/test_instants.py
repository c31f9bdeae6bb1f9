# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tars_app.kit.instants import WrongTimeError, end_of, start_of, years_before

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2023-05-04", "2023-05-03T22:00", "2023-05-04T22:00"),
        ("2023-03-26", "2023-03-25T23:00", "2023-03-26T22:00"),  # the clocks go forward: the day has 23 hours
        ("2023-10-29", "2023-10-28T22:00", "2023-10-29T23:00"),  # and 25 hours
        ("2023-02", "2023-01-31T23:00", "2023-02-28T23:00"),
        ("2023-12", "2023-11-30T23:00", "2023-12-31T23:00"),
        ("2023", "2022-12-31T23:00", "2023-12-31T23:00"),
    ],
)
def test_days_months_and_years_are_those_of_the_time_zone(text: str, start: str, end: str) -> None:
    assert start_of(text, AMSTERDAM, NOW) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert end_of(text, AMSTERDAM, NOW) == datetime.fromisoformat(end).replace(tzinfo=UTC) - MOMENT


def test_a_time_is_taken_as_it_stands() -> None:
    assert end_of("2023-05-04T18:00", AMSTERDAM, NOW) == datetime(2023, 5, 4, 16, tzinfo=UTC)
    assert end_of("2023-05-04T18:00+05:00", AMSTERDAM, NOW) == datetime(2023, 5, 4, 13, tzinfo=UTC)
    assert start_of("2023-05-04T18:00Z", AMSTERDAM, NOW) == datetime(2023, 5, 4, 18, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026", "2026-05", "2026-05-04"])
def test_a_time_that_has_not_ended_ends_now(text: str) -> None:
    assert end_of(text, UTC, NOW) == NOW


@pytest.mark.parametrize("text", ["2026-05-06", "2026-07", "2027", "2026-05-06T12:00"])
def test_the_future_is_refused(text: str) -> None:
    with pytest.raises(WrongTimeError, match="future"):
        end_of(text, UTC, NOW)


@pytest.mark.parametrize(
    "text", ["", "23", "2023-5-4", "2023-02-30", "9999-12-31", "04.05.2023", "٢٠٢٣", "0000", "2023-05-04T25:00"]
)
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(WrongTimeError, match=r"found .*expected a day"):
        end_of(text, UTC, NOW)


def test_the_same_day_of_an_earlier_year() -> None:
    assert years_before(NOW, 3) == datetime(2023, 5, 4, 12, tzinfo=UTC)
    assert years_before(datetime(2024, 2, 29, 1, tzinfo=UTC), 1) == datetime(2023, 2, 28, 1, tzinfo=UTC)
    assert years_before(datetime(2024, 2, 29, 1, tzinfo=UTC), 4) == datetime(2020, 2, 29, 1, tzinfo=UTC)
