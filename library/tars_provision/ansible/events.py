# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a run as small values, and their sum as a result.

A failed task is shown with its message (`msg`), the `reason` for it, and its `changes`: what differs from the desired
state, one line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
"""Heading that Ansible prints above the first output of a task."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PROGRESS = re.compile(r"^ {4}\[(?P<host>[^\]]+)\] (?P<text>.+)$")
"""Line by which an action of the collection reports the progress of long work on a host."""


@dataclass(frozen=True)
class Event:
    """One event. `data` is the task's result, or the counters by host at the end; `output` is what Ansible printed."""

    kind: Kind
    play: str = ""
    host: str = ""
    task: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    output: str = field(default="", compare=False)


@dataclass(frozen=True)
class Step:
    """A task on a host that changed something (`text` is its diff, if any) or failed (`text` is the reason).

    `changes` are the differences from the desired state, one line each.
    """

    host: str
    task: str
    text: str
    changes: tuple[str, ...] = ()


@dataclass
class Result:
    """Result of a run."""

    playbook: str
    status: Literal["done", "failed", "cancelled"] = "failed"
    duration_s: float = 0
    check: bool = False
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)
    changes: list[Step] = field(default_factory=list)
    failures: list[Step] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """Lines that Ansible printed outside of tasks; they explain a failure before the first task."""
    results: list[tuple[Step, Mapping[str, Any]]] = field(default_factory=list)
    """Results of the tasks that have a return value which the caller keeps."""

    @property
    def changed(self) -> int:
        """Number of tasks that changed something, or would."""
        return sum(counts.get("changed", 0) for counts in self.hosts.values())

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 3 changes pending (in check mode), 130 cancelled."""
        if self.status == "done":
            return 3 if self.check and self.changed else 0
        return 130 if self.status == "cancelled" else 1


def parse(raw: Mapping[str, Any]) -> Event | None:
    """Return ansible-runner's event as an :class:`Event`, or None for one that is not for people.

    ansible-runner documents no schema of the events: any key may be missing.
    """
    kind = KINDS.get(str(raw.get("event")))
    data = raw.get("event_data") or {}
    result = data.get("res") or {}
    output = text = COLOUR.sub("", str(raw.get("stdout") or "")).replace("\r\n", "\n")
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
    return Event(kind, str(data.get("play") or ""), host, task, text, data if kind == "stats" else result, output)


def task_name(data: Mapping[str, Any]) -> str:
    """Return a task's name with its role."""
    role, task = str(data.get("role") or "").rpartition(".")[2], str(data.get("task") or "")
    return f"{role}: {task}" if role and not task.startswith(f"{role} :") else task


GENERIC = ("Action failed: Unknown error.", "Action failed.", "Unknown error.", "non-zero return code")
"""Messages that Ansible sets for want of one; they are dropped if anything else explains the failure."""

OUTPUTS = ("reason", "stderr", "module_stderr", "module_stdout")
FAREWELL = re.compile(r"^Shared connection to \S+ closed\.\s*$", re.MULTILINE)
"""What ssh prints at the end of a session with a terminal."""


def reason(result: Mapping[str, Any]) -> str:
    """Return why a task failed: message, reason and output of the module, or of the failed items of a loop."""
    failed = [item for item in result.get("results") or () if isinstance(item, dict) and item.get("failed")]
    if failed:
        return "\n".join(reason(item) for item in failed)
    message = str(result.get("msg") or "").removeprefix("Task failed: ").strip()
    lines = list(differences(result))
    printed = {name: FAREWELL.sub("", str(result.get(name) or "")).strip() for name in (*OUTPUTS, "stdout")}
    details = [printed[name] for name in OUTPUTS if printed[name] and printed[name] not in message]
    if not details and not lines and message in ("", *GENERIC):
        # A command that ran in a terminal has printed its errors to it.
        details = [printed["stdout"]]
    if message in GENERIC and (any(details) or lines):
        message = ""
    if not message and not details and lines:
        message = "differs from the desired state"
    return "\n".join(filter(None, [message, *details])) or "it failed without a message; -v shows Ansible's own output"


def differences(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs from the desired state by a task's `changes`: a list of lines, or of lines by object."""
    for item in result.get("results") or ():
        if isinstance(item, dict):
            yield from differences(item)
    changes = result.get("changes") or ()
    if isinstance(changes, Mapping):
        for name, lines in changes.items():
            yield f"{name}: {', '.join(map(str, lines)) if isinstance(lines, list | tuple) else lines}"
    elif isinstance(changes, list | tuple):
        yield from map(str, changes)


class Tally:
    """Adds events up to a :class:`Result`."""

    def __init__(self, result: Result, keep: frozenset[str] = frozenset()) -> None:
        self.result = result
        self.keep = keep
        self.running: dict[str, str] = {}
        self.play = ""
        self._diffs: dict[tuple[str, str], str] = {}

    def add(self, event: Event) -> None:
        """Count one event."""
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
            self.result.changes.append(Step(*place, self._diffs.pop(place, ""), tuple(differences(event.data))))
        elif event.kind in ("failed", "unreachable"):
            self.result.failures.append(Step(*place, event.text, tuple(differences(event.data))))
        if self.keep & event.data.keys():
            self.result.results.append((Step(*place, ""), event.data))

    def _finish(self, stats: Mapping[str, Any]) -> None:
        """Use Ansible's own counters: a failure that the play rescued does not count."""
        for host, counts in self.result.hosts.items():
            rescued = int((stats.get("rescued") or {}).get(host, 0))
            counts["failed"] = int((stats.get("failures") or {}).get(host, 0))
            for step in [step for step in self.result.failures if step.host == host][:rescued]:
                self.result.failures.remove(step)
