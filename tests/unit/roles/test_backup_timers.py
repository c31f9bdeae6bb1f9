# SPDX-License-Identifier: GPL-3.0-or-later
"""When systemd starts the timers of the role backup in a year with both changes of the clocks."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import jinja2
import pytest

ZONES = ("Europe/Amsterdam", "America/New_York")
TEMPLATES = "collections/ansible_collections/tars/home/roles/backup/templates"


def instants(root: Path, name: str, zone: str, count: int, **variables: str) -> list[datetime]:
    """Return when a timer elapses from 2026 on, in UTC, on a desktop whose clocks show the time of a zone."""
    template = jinja2.Template((root / TEMPLATES / f"{name}.timer.j2").read_text())
    unit = template.render(backup_zone=zone, backup_jitter_s=0, **variables)
    calendar = re.findall(r"^OnCalendar=(.*)$", unit, re.MULTILINE)
    assert len(calendar) == 1
    words = ["systemd-analyze", "calendar", "--base-time=2025-12-31 23:59:59 UTC", f"--iterations={count}", calendar[0]]
    environment = {**os.environ, "TZ": zone, "LC_ALL": "C.UTF-8"}
    output = subprocess.run(words, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
    texts = re.findall(r"(?:\(in UTC\)|Next elapse|Iter\. #\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", output)
    times = [datetime.fromisoformat(text) for text in texts]
    assert len(times) == count
    return times


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_a_year_has_one_backup(root: Path, zone: str) -> None:
    times = instants(root, "tars-backup", zone, 366 * 24, backup_schedule="hourly")
    assert times == [datetime(2026, 1, 1, 0, 30) + timedelta(hours=number) for number in range(366 * 24)]


@pytest.mark.parametrize("zone", ZONES)
def test_every_night_of_a_year_has_one_backup(root: Path, zone: str) -> None:
    times = instants(root, "tars-backup", zone, 365, backup_schedule="daily")
    gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
    assert gaps == {timedelta(hours=hours) for hours in (23, 24, 25)}


@pytest.mark.parametrize("zone", ZONES)
def test_the_state_is_never_older_than_the_page_accepts(root: Path, zone: str) -> None:
    times = instants(root, "tars-backup-watch", zone, 366 * 24 * 6)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(minutes=10)}


@pytest.mark.parametrize(("schedule", "days"), [("monthly", {28, 35}), ("weekly", {7})])
def test_drills_are_in_nights_of_sundays(root: Path, schedule: str, days: set[int]) -> None:
    times = instants(root, "tars-drill", "Europe/Amsterdam", 12, backup_drill_schedule=schedule)
    gaps = {round((later - earlier) / timedelta(days=1)) for earlier, later in itertools.pairwise(times)}
    assert gaps == days and {time.isoweekday() for time in times} == {7}
