# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled tasks on the machine: when they are due, and the systemd units that run them."""

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
"""Months between two runs, by `repeat_date`, of a task that starts on a date."""

WEEKS = {"first": "01..07", "second": "08..14", "third": "15..21", "fourth": "22..28", "last": "~07/1"}
"""Days of a month in the notation of systemd.time(7), by `monthly_week`."""

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
FARTHEST = 800
"""Days to search for the next run: no schedule has a longer interval."""

UNITS = Path("/run/systemd/system")
SCRIPTS = Path("/run/dsm-tasks")
SHELL = "/bin/bash"


@dataclass(frozen=True)
class Job:
    """A task on the machine: it runs `script` as `user` at the times of `calendar` (systemd.time(7))."""

    id: int
    name: str
    user: str
    script: str
    calendar: tuple[str, ...]


def calendar(schedule: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the schedule of SYNO.Core.TaskScheduler as calendar events of systemd."""
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
        return [f"{','.join(f'{number:02}' for number in hours)}:{minute:02}"]
    step = schedule["repeat_min"]
    if not step:
        return [f"{hour:02}:{minute:02}"]
    later = [f"{hour + 1:02}..{last:02}:{minute % step:02}/{step}"] if last > hour else []
    return [f"{hour:02}:{minute:02}/{step}", *later]


def start(schedule: Mapping[str, Any]) -> datetime.date:
    """Return the date (`2026/1/31`) of a schedule that has one. Raises ValueError if the day does not exist."""
    return datetime.datetime.strptime(schedule["date"], "%Y/%m/%d").date()


def next_run(schedule: Mapping[str, Any], now: datetime.datetime) -> datetime.datetime | None:
    """Return the next run in the NAS's local time, None if there is none."""
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
    """Return the minutes of a day at which the task runs."""
    first = schedule["hour"] * 60 + schedule["minute"]
    step = schedule["repeat_hour"] * 60 or schedule["repeat_min"]
    last = max(schedule["hour"], schedule["last_work_hour"]) * 60 + 59
    return list(range(first, last + 1, step)) if step else [first]


def units(job: Job) -> dict[str, str]:
    """Return the systemd units of a task by name; a disabled task has no timer."""
    about = f"[Unit]\nDescription={job.name.replace('%', '%%')}\n\n"
    service = f"[Service]\nType=oneshot\nUser={job.user}\nExecStart={SHELL} {script(job.id)}\n"
    texts = {f"{unit(job.id)}.service": about + service}
    if job.calendar:
        events = "".join(f"OnCalendar={event}\n" for event in job.calendar)
        texts[f"{unit(job.id)}.timer"] = f"{about}[Timer]\nAccuracySec=1s\n{events}"
    return texts


def unit(identity: int) -> str:
    """Return the name of a task's units, without the suffix."""
    return f"dsm-task-{identity}"


def script(identity: int) -> Path:
    """Return the path of a task's script."""
    return SCRIPTS / f"{identity}.sh"


def install(jobs: Sequence[Job]) -> None:
    """Replace the units and scripts of all tasks by those of these jobs."""
    wanted = {name: text for job in jobs for name, text in units(job).items()}
    present = {path.name: path.read_text(encoding="utf-8") for path in UNITS.glob("dsm-task-*")}
    stale = [name for name in present if present[name] != wanted.get(name)]
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
    _timers("start", [name for name in wanted if present.get(name) != wanted[name]])


def _timers(verb: str, names: Sequence[str]) -> None:
    timers = [name for name in names if name.endswith(".timer")]
    if timers:
        subprocess.run(["systemctl", verb, *timers], check=True)


def run(identity: int) -> None:
    """Start a task now, whether it is enabled or not."""
    subprocess.run(["systemctl", "start", "--no-block", f"{unit(identity)}.service"], check=True)
