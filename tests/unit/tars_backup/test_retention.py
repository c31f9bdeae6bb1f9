# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention equals a reference that counts periods one by one, over two simulated years in two zones."""

from __future__ import annotations

import random
import zoneinfo
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tars_backup.instants import UTC
from tars_backup.repository import retention

RULES = {"last": 3, "hourly": 48, "daily": 30, "weekly": 8, "monthly": 24, "yearly": 10}
AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
SAO_PAULO = zoneinfo.ZoneInfo("America/Sao_Paulo")
"""Until 2019 its clocks changed at midnight, so that a day began twice or at 01:00."""

KEYS: Mapping[str, Callable[[datetime], Hashable]] = {
    "hourly": lambda local: local.strftime("%Y-%m-%d %H %z"),
    "daily": lambda local: local.strftime("%Y-%m-%d"),
    "weekly": lambda local: local.strftime("%G-%V"),
    "monthly": lambda local: local.strftime("%Y-%m"),
    "yearly": lambda local: local.strftime("%Y"),
}


def reference(
    instants: Mapping[str, datetime], rules: Mapping[str, int], zone: zoneinfo.ZoneInfo, now: datetime
) -> set[str]:
    """Return what stays: the newest backup of each of the last N periods that have one, found by grouping all."""
    past = {name: instant for name, instant in instants.items() if instant <= now}
    keep = set(instants) - set(past)
    order = sorted(past, key=lambda name: (past[name], name))
    keep |= set(order[len(order) - min(rules.get("last", 0), len(order)) :])
    for rule, key in KEYS.items():
        periods: dict[Hashable, list[str]] = {}
        for name in order:
            periods.setdefault(key(past[name].astimezone(zone)), []).append(name)
        newest_of_each = [names[-1] for names in periods.values()]
        newest_of_each.sort(key=lambda name: (past[name], name))
        count = rules.get(rule, 0)
        keep |= set(newest_of_each[-count:] if count else [])
    return keep


@pytest.mark.parametrize(
    ("zone", "start"), [(AMSTERDAM, datetime(2025, 1, 1, tzinfo=UTC)), (SAO_PAULO, datetime(2017, 6, 1, tzinfo=UTC))]
)
def test_two_years_of_hourly_runs(zone: zoneinfo.ZoneInfo, start: datetime) -> None:
    """With gaps, jumps of the clock in both directions, and both changes of the clocks each year."""
    generator = random.Random(7)
    living: dict[str, datetime] = {}
    offset = timedelta(0)
    for hour in range(2 * 366 * 24):
        if generator.random() < 0.001:
            # A clock that is wrong for a time, by up to two days.
            offset = timedelta(hours=generator.randint(-48, 48))
        elif generator.random() < 0.02:
            offset = timedelta(0)
        if hour % 1000 < 60 or generator.random() < 0.3:
            continue  # the machine is off, or nothing has changed
        now = start + timedelta(hours=hour, seconds=generator.randint(0, 300)) + offset
        living[f"{hour:06}"] = now
        if hour % 24:
            continue
        plan = retention.plan(living, RULES, zone, now)
        assert set(plan.keep) == reference(living, RULES, zone, now)
        assert set(plan.keep).isdisjoint(plan.remove)
        assert set(plan.keep) | set(plan.remove) == set(living)
        living = {name: living[name] for name in plan.keep}
    assert len(living) <= sum(RULES.values()) + 48


def hourly(start: datetime, hours: int) -> dict[str, datetime]:
    return {f"{number:05}": start + timedelta(hours=number) for number in range(hours)}


def test_both_hours_of_the_autumn_change_stay() -> None:
    backups = hourly(datetime(2026, 10, 24, 22, tzinfo=UTC), 6)  # 00:00, 01:00, 02:00, 02:00, 03:00, 04:00
    plan = retention.plan(backups, {"last": 3, "hourly": 48}, AMSTERDAM, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert plan.remove == ()


def test_day_of_25_hours_is_one_day() -> None:
    backups = hourly(datetime(2026, 10, 24, 22, tzinfo=UTC), 25)
    plan = retention.plan(backups, {"last": 1, "daily": 9}, AMSTERDAM, datetime(2026, 10, 26, tzinfo=UTC))
    assert list(plan.keep) == ["00024"]


def test_sixty_days_of_failing_runs_remove_nothing() -> None:
    backups = hourly(datetime(2026, 1, 1, tzinfo=UTC), 24 * 90)
    end = datetime(2026, 4, 1, tzinfo=UTC)
    kept = retention.plan(backups, RULES, AMSTERDAM, end).keep
    remaining = {name: backups[name] for name in kept}
    for days in range(61):
        assert retention.plan(remaining, RULES, AMSTERDAM, end + timedelta(days=days)).remove == ()


def test_dates_in_the_future_stay_and_use_up_no_period() -> None:
    backups = hourly(datetime(2026, 1, 1, tzinfo=UTC), 100)
    now = datetime(2026, 1, 6, tzinfo=UTC)
    before = retention.plan(backups, RULES, AMSTERDAM, now)
    future = {f"future{year}": datetime(year, 1, 1, tzinfo=UTC) for year in range(2030, 2100)}
    after = retention.plan({**backups, **future}, RULES, AMSTERDAM, now)
    assert after.remove == before.remove
    assert after.keep["future2099"] == (retention.FUTURE,)


def test_clock_that_went_back_to_1970_removes_nothing() -> None:
    backups = hourly(datetime(2026, 1, 1, tzinfo=UTC), 500)
    assert retention.plan(backups, RULES, AMSTERDAM, datetime(1970, 1, 1, tzinfo=UTC)).remove == ()


def test_reasons_are_the_rules() -> None:
    plan = retention.plan(
        hourly(datetime(2026, 1, 1, tzinfo=UTC), 5),
        {"last": 1, "yearly": 1},
        AMSTERDAM,
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert plan.keep == {"00004": ("last", "yearly")}
    assert retention.plan({}, RULES, AMSTERDAM, datetime(2027, 1, 1, tzinfo=UTC)) == retention.Plan({}, ())


@settings(deadline=None)
@given(
    offsets=st.lists(st.integers(0, 400 * 24 * 60), max_size=60),
    rules=st.fixed_dictionaries({"last": st.integers(3, 5)}, optional=dict.fromkeys(KEYS, st.integers(0, 12))),
    now_minutes=st.integers(0, 500 * 24 * 60),
)
def test_equals_the_reference_and_a_second_plan_removes_nothing(
    offsets: list[int], rules: dict[str, int], now_minutes: int
) -> None:
    start = datetime(2025, 9, 1, tzinfo=UTC)
    backups = {f"{number:04}": start + timedelta(minutes=minutes) for number, minutes in enumerate(offsets)}
    now = start + timedelta(minutes=now_minutes)
    plan = retention.plan(backups, rules, AMSTERDAM, now)
    assert set(plan.keep) == reference(backups, rules, AMSTERDAM, now)
    assert len(plan.keep) >= min(3, len(backups))
    kept = {name: backups[name] for name in plan.keep}
    assert retention.plan(kept, rules, AMSTERDAM, now).remove == ()
