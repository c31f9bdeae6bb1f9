# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled tasks in the machine's own terms: when they are due, and the systemd units that run them."""

from __future__ import annotations

import datetime
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tars_lab.dsm_twin.state import replace

DAILY, WEEKLY, MONTHLY = 1001, 1002, 1003
MONTHS_BETWEEN = {0: 0, 1: 1, 5: 3, 3: 6, 2: 12}
"""Months from one run to the next, by `repeat_date`, of a task that starts on a date."""

WEEKS = {"first": "01..07", "second": "08..14", "third": "15..21", "fourth": "22..28", "last": "~07/1"}
"""Days of a month in systemd's words, by the `monthly_week` that they lie in."""

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
FARTHEST = 800
"""Days looked ahead for the next run: no schedule has longer between two."""

UNITS = Path("/run/systemd/system")
SCRIPTS = Path("/run/dsm-tasks")
SHELL = "/bin/bash"


@dataclass(frozen=True)
class Job:
    """A task as the machine runs it: `script` as its user, whenever one of `calendar` (systemd.time) says so."""

    id: int
    name: str
    user: str
    script: str
    calendar: tuple[str, ...]


def calendar(schedule: Mapping[str, Any]) -> tuple[str, ...]:
    """The schedule of SYNO.Core.TaskScheduler as calendar events of systemd."""
    return tuple(f"{day} {time}:00" for day in _days(schedule) for time in _times(schedule))


def _days(schedule: Mapping[str, Any]) -> list[str]:
    if schedule["date_type"] == 1:
        date, months = start(schedule), MONTHS_BETWEEN[schedule["repeat_date"]]
        if not months:
            return [f"{date:%Y-%m-%d}"]
        due = sorted({(date.month - 1 + step * months) % 12 + 1 for step in range(12)})
        return [f"*-{','.join(f'{month:02}' for month in due)}-{date:%d}"]
    week = ",".join(DAYS[int(day)] for day in schedule["week_day"].split(","))
    if schedule["repeat_date"] != MONTHLY:
        return [f"{week} *-*-*"]
    parts = [WEEKS[name] for name in schedule["monthly_week"]]
    return [f"{week} *-*{part if part[0] == '~' else '-' + part}" for part in parts]


def _times(schedule: Mapping[str, Any]) -> list[str]:
    hour, minute, last = schedule["hour"], schedule["minute"], max(schedule["hour"], schedule["last_work_hour"])
    if schedule["repeat_hour"]:
        hours = range(hour, last + 1, schedule["repeat_hour"])
        return [f"{','.join(f'{each:02}' for each in hours)}:{minute:02}"]
    step = schedule["repeat_min"]
    if not step:
        return [f"{hour:02}:{minute:02}"]
    later = [f"{hour + 1:02}..{last:02}:{minute % step:02}/{step}"] if last > hour else []
    return [f"{hour:02}:{minute:02}/{step}", *later]


def start(schedule: Mapping[str, Any]) -> datetime.date:
    """The date (`2026/1/31`) of a schedule that has one; ValueError for no such day."""
    return datetime.datetime.strptime(schedule["date"], "%Y/%m/%d").date()


def next_run(schedule: Mapping[str, Any], now: datetime.datetime) -> datetime.datetime | None:
    """When the task is due next, on the NAS's clock; None when it never is again."""
    for ahead in range(FARTHEST):
        day = now.date() + datetime.timedelta(days=ahead)
        if not _due(schedule, day):
            continue
        for minutes in _minutes(schedule):
            when = datetime.datetime.combine(day, datetime.time(minutes // 60, minutes % 60))
            if when > now:
                return when
    return None


def _due(schedule: Mapping[str, Any], day: datetime.date) -> bool:
    if schedule["date_type"] == 1:
        first, months = start(schedule), MONTHS_BETWEEN[schedule["repeat_date"]]
        if not months:
            return day == first
        return day.day == first.day and (day.month - first.month) % months == 0
    if str(day.isoweekday() % 7) not in schedule["week_day"].split(","):
        return False
    if schedule["repeat_date"] != MONTHLY:
        return True
    ends = (day + datetime.timedelta(days=7)).month != day.month
    number = (day.day - 1) // 7
    names = {tuple(WEEKS)[number]} if number < 4 else set()
    return bool(set(schedule["monthly_week"]) & (names | ({"last"} if ends else set())))


def _minutes(schedule: Mapping[str, Any]) -> list[int]:
    """The minutes of a day at which the task runs."""
    first = schedule["hour"] * 60 + schedule["minute"]
    step = schedule["repeat_hour"] * 60 or schedule["repeat_min"]
    last = max(schedule["hour"], schedule["last_work_hour"]) * 60 + 59
    return list(range(first, last + 1, step)) if step else [first]


def units(job: Job) -> dict[str, str]:
    """Names and texts of the systemd units of a task; one that is off has no timer."""
    about = f"[Unit]\nDescription={job.name.replace('%', '%%')}\n\n"
    service = f"[Service]\nType=oneshot\nUser={job.user}\nExecStart={SHELL} {script(job.id)}\n"
    found = {f"{unit(job.id)}.service": about + service}
    if job.calendar:
        events = "".join(f"OnCalendar={event}\n" for event in job.calendar)
        found[f"{unit(job.id)}.timer"] = f"{about}[Timer]\nAccuracySec=1s\n{events}"
    return found


def unit(identity: int) -> str:
    return f"dsm-task-{identity}"


def script(identity: int) -> Path:
    return SCRIPTS / f"{identity}.sh"


def install(jobs: Sequence[Job]) -> None:
    """Let the machine run these tasks and no others of the NAS's."""
    wanted = {name: text for job in jobs for name, text in units(job).items()}
    there = {path.name: path.read_text(encoding="utf-8") for path in UNITS.glob("dsm-task-*")}
    stale = [name for name in there if there[name] != wanted.get(name)]
    _timers("stop", stale)
    for name in stale:
        (UNITS / name).unlink()
    SCRIPTS.mkdir(mode=0o755, exist_ok=True)
    for path in SCRIPTS.iterdir():
        path.unlink()
    for job in jobs:
        replace(script(job.id), job.script, 0o400)
        os.chown(script(job.id), pwd.getpwnam(job.user).pw_uid, -1)
    for name, text in wanted.items():
        replace(UNITS / name, text, 0o644)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    _timers("start", [name for name in wanted if there.get(name) != wanted[name]])


def _timers(verb: str, names: Sequence[str]) -> None:
    timers = [name for name in names if name.endswith(".timer")]
    if timers:
        subprocess.run(["systemctl", verb, *timers], check=True)


def run(identity: int) -> None:
    """Begin a task now, whether it is on or off."""
    subprocess.run(["systemctl", "start", "--no-block", f"{unit(identity)}.service"], check=True)
