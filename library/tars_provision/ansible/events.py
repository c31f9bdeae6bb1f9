# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a run: ansible-runner's events as small values, and their sum as a result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "play", "start", "ok", "changed", "skipped", "failed", "unreachable", "diff", "progress", "text", "stats"
]

KINDS: dict[str, Kind] = {
    "playbook_on_play_start": "play",
    "runner_on_start": "start",
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_file_diff": "diff",
    "verbose": "text",
    "playbook_on_stats": "stats",
}
BANNER = re.compile(r"^\s*(TASK|RUNNING HANDLER) \[.*\] \*+\n")
"""What Ansible prints above a task's first output."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PROGRESS = re.compile(r"^ {4}\[(?P<host>[^\]]+)\] (?P<text>.+)$")
"""A line in which an action of the collection says where long work on a host stands."""


@dataclass(frozen=True)
class Event:
    """One thing that happened. `data` is the task's result, or the counters by host at the end."""

    kind: Kind
    play: str = ""
    host: str = ""
    task: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A task on a host that changed something (`text` is its diff, if any) or failed (`text` says why)."""

    host: str
    task: str
    text: str


@dataclass
class Result:
    """What a run came to."""

    playbook: str
    status: Literal["done", "failed", "cancelled"] = "failed"
    duration_s: float = 0
    check: bool = False
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)
    changes: list[Step] = field(default_factory=list)
    failures: list[Step] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """Lines that Ansible printed outside of any task; what is left to show when it failed before its first one."""
    results: list[tuple[Step, Mapping[str, Any]]] = field(default_factory=list)
    """What the tasks returned that a caller asked to keep."""

    @property
    def changed(self) -> int:
        """How many tasks changed something, or would."""
        return sum(counts.get("changed", 0) for counts in self.hosts.values())

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 3 changes pending (in check mode), 130 cancelled."""
        if self.status == "done":
            return 3 if self.check and self.changed else 0
        return 130 if self.status == "cancelled" else 1


def parse(raw: Mapping[str, Any]) -> Event | None:
    """Return ansible-runner's event as an :class:`Event`, or nothing for those that say nothing to people.

    The form of these events is whatever Ansible emits (ansible-runner promises no more): nothing need be there.
    """
    kind = KINDS.get(str(raw.get("event")))
    data = raw.get("event_data") or {}
    result = data.get("res") or {}
    text = COLOUR.sub("", str(raw.get("stdout") or "")).replace("\r\n", "\n")
    host, task = str(data.get("host") or ""), task_name(data)
    if kind is None or (kind == "failed" and data.get("ignore_errors")):
        return None
    if kind == "ok" and result.get("changed"):
        kind = "changed"
    if kind == "diff":
        text = BANNER.sub("", text)
    if kind in ("failed", "unreachable"):
        text = reason(result)
    if kind == "text" and (match := PROGRESS.match(text)):
        kind, host, text = "progress", match["host"], match["text"]
    if kind in ("text", "diff") and not text.strip():
        return None
    return Event(kind, str(data.get("play") or ""), host, task, text, data if kind == "stats" else result)


def task_name(data: Mapping[str, Any]) -> str:
    """Return a task's name with the role it is from."""
    role, task = str(data.get("role") or "").rpartition(".")[2], str(data.get("task") or "")
    return f"{role}: {task}" if role and not task.startswith(f"{role} :") else task


def reason(result: Mapping[str, Any]) -> str:
    """Return why a task failed: the message of the module, or of the items of the loop that failed."""
    failed = [item for item in result.get("results") or () if isinstance(item, dict) and item.get("failed")]
    if failed:
        return "\n".join(reason(item) for item in failed)
    message = str(result.get("msg") or "").removeprefix("Task failed: ").strip()
    printed = [str(result.get(name) or "").strip() for name in ("stderr", "module_stderr")]
    details = [text for text in printed if text and text not in message]
    return "\n".join(filter(None, [message, *details])) or "it failed without a message; run again with -v to see more"


class Tally:
    """Adds events up to a :class:`Result`."""

    def __init__(self, result: Result, keep: frozenset[str] = frozenset()) -> None:
        self.result = result
        self.keep = keep
        self.running: dict[str, str] = {}
        self.play = ""
        self._diffs: dict[tuple[str, str], str] = {}

    def add(self, event: Event) -> None:
        """Take one event into account."""
        result, place = self.result, (event.host, event.task)
        if event.kind == "play":
            self.play, self.running = event.play, {}
        elif event.kind == "start":
            self.running[event.host] = event.task
        elif event.kind == "diff":
            self._diffs[place] = self._diffs.get(place, "") + event.text
        elif event.kind == "text":
            result.output.append(event.text)
        elif event.kind == "stats":
            self._finish(event.data)
        elif event.kind != "progress":
            self.running.pop(event.host, None)
            self._count(event)

    def _count(self, event: Event) -> None:
        place = (event.host, event.task)
        counts = self.result.hosts.setdefault(event.host, {})
        for name in ("ok", "changed") if event.kind == "changed" else (event.kind,):
            counts[name] = counts.get(name, 0) + 1
        if event.kind == "changed":
            self.result.changes.append(Step(*place, self._diffs.pop(place, "")))
        elif event.kind in ("failed", "unreachable"):
            self.result.failures.append(Step(*place, event.text))
        if self.keep & event.data.keys():
            self.result.results.append((Step(*place, ""), event.data))

    def _finish(self, stats: Mapping[str, Any]) -> None:
        """Take Ansible's own counters: a failure that the play rescued is none."""
        for host, counts in self.result.hosts.items():
            rescued = int((stats.get("rescued") or {}).get(host, 0))
            counts["failed"] = int((stats.get("failures") or {}).get(host, 0))
            for step in [step for step in self.result.failures if step.host == host][:rescued]:
                self.result.failures.remove(step)
