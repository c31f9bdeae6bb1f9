# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a run: a live table on a terminal, plain lines elsewhere, and its result as text or JSON."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tars_provision.ansible.events import Event, Result, Tally
from tars_provision.ansible.run import Reporter

QUIET_S = 15
"""Seconds without a line after which plain output reports the running tasks."""


class Lines:
    """Prints one line for each phase, change and failure, and one every `QUIET_S` seconds while a long task runs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = self.printed = time.monotonic()

    def event(self, event: Event, tally: Tally) -> None:
        """Show an event."""
        line = describe(event)
        if line is not None:
            self.line(line)

    def tick(self, tally: Tally) -> None:
        """Update clocks."""
        if time.monotonic() - self.printed >= QUIET_S and tally.running:
            for host, task in tally.running.items():
                since = clock(time.monotonic() - self.started)
                self.line(f"  {host}: still running: {escape(task)} ({since} since the start)")

    def line(self, line: str) -> None:
        """Print a line."""
        self.printed = time.monotonic()
        self.console.print(line, highlight=False, soft_wrap=True)


class LiveTable(Lines):
    """Prints the same lines above a table of the running task of each host."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.since: dict[str, tuple[str, float]] = {}
        self.detail: dict[str, str] = {}
        self.live = Live(console=console, refresh_per_second=4, transient=True)

    def event(self, event: Event, tally: Tally) -> None:
        """Show an event."""
        if event.kind == "progress":
            self.detail[event.host] = event.text
        else:
            if event.kind == "start":
                self.since[event.host] = (event.task, time.monotonic())
                self.detail.pop(event.host, None)
            super().event(event, tally)
        self.live.update(self.table(tally))

    def tick(self, tally: Tally) -> None:
        """Update clocks."""
        self.live.update(self.table(tally))

    def table(self, tally: Tally) -> Table:
        """Return the table of all hosts."""
        now = time.monotonic()
        title = Text(f"{tally.play}  {clock(now - self.started)}")
        table = Table(box=None, pad_edge=False, title=title, title_justify="left", expand=True)
        for heading in ("machine", "ok", "changed"):
            table.add_column(heading, no_wrap=True)
        # On a narrow terminal only the last column is shortened.
        table.add_column("task", overflow="ellipsis", no_wrap=True, ratio=1)
        for host in sorted({*tally.result.hosts, *tally.running}):
            counts = tally.result.hosts.get(host, {})
            task = tally.running.get(host, "")
            seconds = clock(now - self.since[host][1]) if task and host in self.since else ""
            at = " ".join(filter(None, (task, self.detail.get(host, "") if task else "", seconds)))
            table.add_row(host, str(counts.get("ok", 0)), str(counts.get("changed", 0)), Text(at))
        return table


class Verbose(Lines):
    """Prints what Ansible prints."""

    def event(self, event: Event, tally: Tally) -> None:
        """Show an event."""
        if event.output.strip():
            self.line(escape(event.output.rstrip()))


@contextlib.contextmanager
def reporter(console: Console, *, live: bool = True, verbose: bool = False) -> Iterator[Reporter]:
    """Return the reporter of a run on this console, for as long as the context lasts.

    `live` shows a table that is updated; without it, every line stays on the screen. `verbose` shows Ansible's output.
    """
    if verbose or not (live and console.is_terminal):
        yield Verbose(console) if verbose else Lines(console)
        return
    table = LiveTable(console)
    with table.live:
        yield table


def describe(event: Event) -> str | None:
    """Return the line for an event, or None for one that needs no line."""
    task = escape(event.task)
    if event.kind == "play":
        return f"[bold]{escape(event.play)}[/bold]"
    if event.kind == "changed":
        return f"  {event.host}: [yellow]changed[/yellow] {task}"
    if event.kind in ("failed", "unreachable"):
        return f"  {event.host}: [red]{event.kind}[/red] {task}"
    if event.kind == "progress":
        return f"  {event.host}: {escape(event.text)}"
    return None


def summarise(result: Result, console: Console) -> None:
    """Print the result of a run: the diffs in check mode, each failure once and whole, and the counters."""

    def line(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    for step in result.changes:
        if result.check and step.text:
            line(f"\n[bold]{step.host}: {escape(step.task)}[/bold]\n{escape(step.text.strip())}")
    for step in result.failures:
        line(f"\n[red]failed[/red] on {step.host}: {escape(step.task)}\n  " + escape(step.text).replace("\n", "\n  "))
        for change in step.changes:
            # A message may contain its differences already.
            if change not in step.text:
                line(f"  - {escape(change)}")
    if result.status == "failed" and not result.failures:
        reason = "\n".join(result.output) or "Ansible printed no reason; -v shows its own output"
        line("\n[red]failed[/red] before the first task:\n  " + escape(reason).replace("\n", "\n  "))
    for step in result.running:
        line(f"  {step.host}: may still be running: {escape(step.task)}. The next run resumes it.")
    line(sentence(result))


def checks(result: Result) -> list[dict[str, Any]]:
    """Return the results of the health checks of `verify`: host, name, ok, found, fix."""
    return [{"host": step.host, **check} for step, data in result.results for check in data.get("checks", ())]


def sentence(result: Result) -> str:
    """Return the last line of a run."""
    took = f"in {clock(result.duration_s)}"
    if result.status == "cancelled":
        return f"{result.playbook}: cancelled {took}"
    outcome = "failed" if result.status == "failed" else "done"
    meaning = "would change" if result.check else "changed"
    counts = [
        f"{tally['changed']} of {sum_of(tally)} on {host}"
        for host, tally in sorted(result.hosts.items())
        if "changed" in tally
    ]
    return f"{result.playbook}: {outcome} {took}; tasks that {meaning} something: {', '.join(counts) or 'none'}"


def sum_of(counts: dict[str, int]) -> int:
    """Return the number of tasks that ran on a host."""
    return counts.get("ok", 0) + counts.get("failed", 0) + counts.get("unreachable", 0)


def as_json(result: Result) -> dict[str, Any]:
    """Return a result as plain data."""
    data = asdict(result) | {"changed": result.changed, "exit_code": result.exit_code, "checks": checks(result)}
    del data["results"]
    return data


def clock(seconds: float) -> str:
    """Return a duration in minutes and seconds: `42 s`, `3 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
