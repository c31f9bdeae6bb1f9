# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups hold a forgotten document, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tars_app.backups.schemas import Kept, Status
from tars_app.forgetting.held import held, removals, until
from tars_backup.repository import retention

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
RULES = {"last": 3, "hourly": 0, "daily": 3, "weekly": 2, "monthly": 2, "yearly": 1}
ZONE = ZoneInfo("Europe/Amsterdam")
MADE = [NOW - timedelta(days=days) for days in (400, 120, 45, 20, 8, 2, 1, 0)]


def status(made: list[datetime] | None, rules: dict[str, int] | None = RULES) -> Status:
    nothing = dict.fromkeys(("last_run", "last_good", "verified", "read_back", "drill", "sheet", "space"))
    kept = Kept(count=len(made or []), oldest=min(made or [NOW]), made=made, missing=0)
    return Status(
        schema=1, written_at=NOW, zone="Europe/Amsterdam", copies={"attic": None}, kept=kept, retention=rules,
        problems=[], **nothing,
    )  # fmt: skip


def test_backups_since_the_first_observation_hold_the_document() -> None:
    backups = held(status(MADE), True, NOW - timedelta(days=10), NOW)
    assert (backups.state, [backup.made for backup in backups.made]) == ("known", sorted(MADE)[4:])
    assert backups.copies == ["attic"] and until(backups)
    assert held(status(MADE), True, None, NOW).made == [], "it was never read"
    assert held(status([]), True, NOW, NOW).made == []


def test_what_is_not_known_is_not_guessed() -> None:
    assert held(None, False, NOW, NOW).state == "none"
    assert held(None, True, NOW, NOW).state == "unknown"
    assert held(status(None), True, NOW, NOW).state == "unknown", "an older tars-backup"
    backups = held(status(MADE, None), True, min(MADE), NOW)
    assert {backup.until for backup in backups.made} == {None} and until(backups) is None


@pytest.mark.parametrize("zone", [ZONE, UTC])
@pytest.mark.parametrize("rules", [RULES, {"last": 3, "hourly": 5, "yearly": 4}, {"last": 4, "monthly": 24}])
def test_each_backup_is_removed_when_the_rules_of_the_backup_program_do(zone: ZoneInfo, rules: dict[str, int]) -> None:
    """Compare with the program's own rules, with a backup each hour, and later each day, from now on."""
    ends = removals(MADE, rules, zone, NOW)
    made = {at.isoformat(): at for at in MADE}
    clock, removed = NOW, {}
    while clock < NOW + timedelta(days=6 * 366) and not set(made).isdisjoint(at.isoformat() for at in MADE):
        clock += timedelta(hours=1) if clock < NOW + timedelta(days=2) else timedelta(days=1)
        made[clock.isoformat()] = clock
        for name in retention.plan(made, rules, zone, clock).remove:
            removed[made.pop(name)] = clock
    for at in MADE:
        late = removed[at] - ends[at]
        assert timedelta(0) <= late <= timedelta(hours=28), (at, ends[at], removed[at])
