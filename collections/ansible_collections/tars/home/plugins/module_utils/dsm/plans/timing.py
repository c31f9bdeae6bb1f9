# SPDX-License-Identifier: GPL-3.0-or-later
"""When DSM does something again and again: what the schedules of tasks and of snapshots have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..values import integer, text

WEEK = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Timing:
    """At hour:minute on `weekdays` (0 is Sunday), and again every so many hours or minutes until `last_hour`."""

    weekdays: tuple[int, ...] = WEEK
    hour: int = 0
    minute: int = 0
    every_hours: int = 0
    every_minutes: int = 0
    last_hour: int = 0

    @property
    def valid_weekdays(self) -> bool:
        """Whether there are weekdays, each of 0 to 6."""
        return bool(self.weekdays) and set(self.weekdays) <= set(WEEK)

    @property
    def listed_weekdays(self) -> str:
        """The weekdays in words."""
        return f"on weekdays {', '.join(str(day) for day in self.weekdays)}"

    def words(self, days: str) -> str:
        """Return the timing in words, with the words for its days."""
        start = f"{days} at {self.hour:02}:{self.minute:02}"
        if self.every_hours:
            return f"{start}, every {self.every_hours} h until {self.last_hour} h"
        if self.every_minutes:
            return f"{start}, every {self.every_minutes} min until {self.last_hour} h"
        return start

    def problems(self) -> list[str]:
        """Return what is wrong with the timing of any schedule."""
        problems = []
        if not self.valid_weekdays:
            problems.append(f"invalid weekdays {list(self.weekdays)}: expected some of 0 (Sunday) to 6.")
        if not (0 <= self.hour <= 23 and 0 <= self.minute <= 59 and self.last_hour <= 23):
            problems.append(
                f"invalid schedule {self.hour:02}:{self.minute:02} until {self.last_hour}:00: "
                "expected hours of 0 to 23 and minutes of 0 to 59."
            )
        if self.every_hours and self.every_minutes:
            problems.append("every_hours and every_minutes exclude each other. Remove one.")
        return problems

    def to_api(self, weekdays: str, minute: str) -> dict[str, Any]:
        """Return the timing as DSM takes it; `weekdays` and `minute` are the names that the API has for these."""
        return {
            "date_type": 0,
            weekdays: ",".join(str(day) for day in self.weekdays),
            "hour": self.hour,
            minute: self.minute,
            "repeat_hour": self.every_hours,
            "repeat_min": self.every_minutes,
            "last_work_hour": self.last_hour,
        }


def from_api(data: Mapping[str, Any], weekdays: str, minute: str) -> dict[str, Any]:
    """Return the fields of a timing by DSM's answer; `weekdays` and `minute` are the names that the API has for these.

    DSM keeps a last hour for schedules without a repetition, where it has no meaning.
    """
    days = text(data.get(weekdays))
    return _with_last_hour(
        {
            "weekdays": tuple(sorted({int(day) for day in days.split(",")})) if days else WEEK,
            "hour": integer(data.get("hour")),
            "minute": integer(data.get(minute)),
            "every_hours": integer(data.get("repeat_hour")),
            "every_minutes": integer(data.get("repeat_min")),
            "last_hour": integer(data.get("last_work_hour")),
        }
    )


def from_options(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given options of a schedule as its fields; one that is None or missing is the default."""
    given = {key: value for key, value in item.items() if value is not None}
    if "weekdays" in given:
        given["weekdays"] = tuple(sorted(set(given["weekdays"])))
    return _with_last_hour(given)


def _with_last_hour(fields: dict[str, Any]) -> dict[str, Any]:
    # DSM raises an end before the start to the start.
    first = fields.get("hour", 0)
    repeated = fields.get("every_hours") or fields.get("every_minutes")
    return {**fields, "last_hour": max(fields.get("last_hour", 23), first) if repeated else first}
