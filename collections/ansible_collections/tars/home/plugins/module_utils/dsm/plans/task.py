# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan which scheduled scripts of a NAS to create, change or delete. Pure: no network, no Ansible."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from ...resource.listed import distinct, listed_twice
from ..values import PlanError, boolean, integer, text
from .timing import WEEK, Timing, from_options
from .timing import from_api as timing_from_api

ROOT = "root"
SCRIPT = "script"
WEEKS = ("first", "second", "third", "fourth", "last")
# What DSM's own page offers; DSM stores other numbers but never runs them.
EVERY_MINUTES = (1, 5, 10, 15, 20, 30)
FREQUENCIES = {"daily": 1001, "weekly": 1002, "monthly": 1003}
# A task of a single date, or of a kind that this client does not know.
OTHER = "other"


@dataclass(frozen=True)
class Schedule(Timing):
    """When a task runs; a monthly one in these `weeks` of a month."""

    frequency: str = "daily"
    weeks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A scheduled task.

    `id` and `real_owner` identify it for DSM; `record` is DSM's whole answer, since it accepts tasks only as a whole.
    `notify_email` is empty while DSM sends nothing.
    """

    name: str
    owner: str = ""
    enabled: bool = True
    script: str = ""
    schedule: Schedule = Schedule()
    notify_email: str = ""
    notify_only_on_error: bool = False
    kind: str = SCRIPT
    id: int = field(default=-1, compare=False)
    real_owner: str = field(default="", compare=False)
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Change:
    """`action` is create, update or delete; `fields` are those that an update changes."""

    action: str
    task: Task
    fields: tuple[str, ...] = ()

    @property
    def as_root(self) -> bool:
        """Whether it gives or takes the rights of root, for which DSM requires the password once more."""
        return self.action != "delete" and ROOT in (self.task.owner, self.task.real_owner)

    def __str__(self) -> str:
        task = self.task
        if self.action == "create":
            state = "" if task.enabled else ", not enabled"
            return f"create task {task.name!r}: {words(task.schedule)} as {task.owner}{state}"
        if self.action == "delete":
            return f"delete task {task.name!r}"
        return f"set {', '.join(self._shown(name) for name in self.fields)} of task {task.name!r}"

    def _shown(self, name: str) -> str:
        if name == "script":
            return "the script"
        value = getattr(self.task, name)
        return f"{name} {words(value) if name == 'schedule' else repr(value)}"


def words(schedule: Schedule) -> str:
    """Return a schedule in words."""
    if schedule.frequency == "daily":
        return schedule.words("daily")
    weeks = f" of the {', '.join(schedule.weeks)} week" if schedule.frequency == "monthly" else ""
    return schedule.words(schedule.listed_weekdays + weeks)


def from_row(row: Mapping[str, Any]) -> Task:
    """Return the task of a row of SYNO.Core.TaskScheduler list, which lacks script and schedule."""
    return Task(
        name=text(row.get("name")),
        owner=text(row.get("owner")),
        enabled=boolean(row.get("enable")),
        kind=text(row.get("type")),
        id=integer(row.get("id")),
        real_owner=text(row.get("real_owner")),
    )


def from_api(row: Task, data: Mapping[str, Any]) -> Task:
    """Return the task of `row`, completed by the answer of SYNO.Core.TaskScheduler get."""
    extra = data.get("extra") or {}
    return dataclasses.replace(
        row,
        script=plain(text(extra.get("script"))),
        schedule=_schedule_from_api(data.get("schedule") or {}),
        notify_email=text(extra.get("notify_mail")) if boolean(extra.get("notify_enable")) else "",
        notify_only_on_error=boolean(extra.get("notify_if_error")),
        record=data,
    )


def _schedule_from_api(data: Mapping[str, Any]) -> Schedule:
    frequencies = {number: name for name, number in FREQUENCIES.items()}
    frequency = OTHER if integer(data.get("date_type")) else frequencies.get(integer(data.get("repeat_date")), OTHER)
    weeks = data.get("monthly_week") or []
    if isinstance(weeks, str):
        # Some clients store the list as text, which DSM returns unchanged.
        weeks = json.loads(weeks)
    return Schedule(**timing_from_api(data, "week_day", "minute"), frequency=frequency, weeks=_ordered(weeks))


def to_api(change: Change) -> dict[str, Any]:
    """Return the parameters of create or set: the whole task, over what DSM has of it."""
    task, record = change.task, change.task.record
    schedule = task.schedule
    timing = {**(record.get("schedule") or {})}
    if change.action == "create" or "schedule" in change.fields:
        timing.update(
            schedule.to_api("week_day", "minute"),
            repeat_date=FREQUENCIES[schedule.frequency],
            monthly_week=list(schedule.weeks),
            version=4,
        )
    params = {
        "name": task.name,
        "owner": task.owner,
        "real_owner": task.real_owner or task.owner,
        "enable": task.enabled,
        "schedule": timing,
        "extra": {
            **(record.get("extra") or {}),
            "script": task.script,
            "notify_enable": bool(task.notify_email),
            "notify_mail": task.notify_email,
            "notify_if_error": task.notify_only_on_error,
        },
        "type": SCRIPT,
    }
    return params if change.action == "create" else {**params, "id": task.id}


def to_dict(tasks: Sequence[Task]) -> dict[str, Any]:
    """Return the tasks by name as plain data, for diffs and return values; of several with one name, the last."""
    hidden = ("id", "real_owner", "record", "kind")
    return {
        task.name: {
            **{field.name: getattr(task, field.name) for field in dataclasses.fields(task) if field.name not in hidden},
            "schedule": {
                **dataclasses.asdict(task.schedule),
                "weekdays": list(task.schedule.weekdays),
                "weeks": list(task.schedule.weeks),
            },
        }
        for task in sorted(tasks, key=lambda task: task.name)
    }


def plain(script: str) -> str:
    """Return a script in the form in which it is compared: Linux line ends, and no white space at the end."""
    return script.replace("\r\n", "\n").rstrip()


def plan(current: Sequence[Task], desired: Sequence[Mapping[str, Any]], account: str) -> list[Change]:
    """Return the changes that turn `current` (every task of the NAS) into `desired`; deletions come last.

    Tasks are identified by their names. A value that is None or missing stays as it is; a new task belongs to `account`
    unless it has an owner.

    Raises:
        PlanError: naming everything that cannot be done.
    """
    problems = listed_twice("task", (repr(item["name"]) for item in desired))
    changes: list[Change] = []
    for item in distinct(desired, itemgetter("name")):
        name = item["name"]
        matching = [task for task in current if task.name == name]
        task_problems = _problems(item, matching)
        problems += task_problems
        if not task_problems:
            changes += _changes(item, matching[0] if matching else None, account)
    if problems:
        raise PlanError(problems)
    return sorted(changes, key=lambda change: change.action == "delete")


def predict(current: Sequence[Task], changes: Sequence[Change]) -> list[Task]:
    """Return the state after the changes, for check mode and for the tests of `plan`."""
    after = {task.id if task.id >= 0 else task.name: task for task in current}
    for change in changes:
        key = change.task.id if change.task.id >= 0 else change.task.name
        if change.action == "delete":
            del after[key]
        else:
            after[key] = dataclasses.replace(change.task, real_owner=change.task.owner)
    return list(after.values())


def _changes(item: Mapping[str, Any], existing: Task | None, account: str) -> list[Change]:
    if item.get("state") == "absent":
        return [Change("delete", existing)] if existing else []
    compared = [entry.name for entry in dataclasses.fields(Task) if entry.compare]
    names = [name for name in compared if name not in ("name", "kind")]
    given = {name: item[name] for name in names if item.get(name) is not None}
    if "script" in given:
        given["script"] = plain(given["script"])
    if "schedule" in given:
        given["schedule"] = _schedule(given["schedule"])
    if existing is None:
        return [Change("create", Task(**{"name": item["name"], "owner": account, **given}))]
    wanted = dataclasses.replace(existing, **given)
    fields = tuple(name for name in names if getattr(existing, name) != getattr(wanted, name))
    return [Change("update", wanted, fields)] if fields else []


def _schedule(item: Mapping[str, Any]) -> Schedule:
    given = from_options(item)
    return Schedule(**{**given, "weeks": _ordered(given.get("weeks", ()))})


def _ordered(weeks: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in WEEKS if name in weeks)


def _problems(item: Mapping[str, Any], matching: Sequence[Task]) -> list[str]:
    name = item["name"]
    if len(matching) > 1:
        numbers = ", ".join(str(task.id) for task in matching)
        return [
            f"task {name!r}: the NAS has {len(matching)} tasks of that name (numbers {numbers}), expected at most one. "
            "Rename or delete all but one in Control Panel > Task Scheduler."
        ]
    if matching and matching[0].kind != SCRIPT:
        return [f"task {name!r} has type {matching[0].kind!r}; only script tasks are supported. Use another name."]
    if item.get("state") == "absent":
        return []
    problems = []
    if not name.strip() or len(name.splitlines()) != 1:
        problems.append(f"task {name!r}: invalid name: expected one line of text.")
    script = item.get("script")
    if script is None and not matching:
        problems.append(f"task {name!r} does not exist and has no script. Set script.")
    if script is not None and not plain(script):
        problems.append(f"task {name!r}: the script is empty. Set script, or state: absent.")
    if item.get("owner") == "":
        problems.append(f"task {name!r}: owner is empty. Set owner to the account that it runs as.")
    if item.get("schedule") is not None:
        problems += [f"task {name!r}: {problem}" for problem in _schedule_problems(_schedule(item["schedule"]))]
    return problems


def _schedule_problems(schedule: Schedule) -> list[str]:
    problems = schedule.problems()
    if schedule.frequency == "daily" and schedule.valid_weekdays and schedule.weekdays != WEEK:
        problems.append("a daily task runs on every day. Remove weekdays, or set frequency: weekly.")
    if (schedule.frequency == "monthly") != bool(schedule.weeks):
        problems.append("weeks and frequency: monthly need each other. Set both or neither.")
    if not 0 <= schedule.every_hours <= 23:
        problems.append(f"invalid every_hours {schedule.every_hours}: expected 1 to 23.")
    if schedule.every_minutes and schedule.every_minutes not in EVERY_MINUTES:
        choices = ", ".join(map(str, EVERY_MINUTES))
        problems.append(f"invalid every_minutes {schedule.every_minutes}. Use one of {choices}.")
    return problems
