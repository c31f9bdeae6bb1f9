# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing a run: a live table on a terminal, plain lines elsewhere, and its result as text or JSON."""

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
"""Seconds without a line after which plain output says that work goes on."""


class Lines:
    """One line for each phase, change and failure, and one now and then while a long task runs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = self.spoken = time.monotonic()

    def event(self, event: Event, tally: Tally) -> None:
        line = describe(event)
        if line is not None:
            self.say(line)

    def tick(self, tally: Tally) -> None:
        if time.monotonic() - self.spoken >= QUIET_S and tally.running:
            for host, task in tally.running.items():
                self.say(
                    f"  {host}: still at: {escape(task)} ({clock(time.monotonic() - self.started)} since the start)"
                )

    def say(self, line: str) -> None:
        self.spoken = time.monotonic()
        self.console.print(line, highlight=False, soft_wrap=True)


class LiveTable(Lines):
    """The same lines, above a table of what each host is at."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.since: dict[str, tuple[str, float]] = {}
        self.detail: dict[str, str] = {}
        self.live = Live(console=console, refresh_per_second=4, transient=True)

    def event(self, event: Event, tally: Tally) -> None:
        if event.kind == "progress":
            self.detail[event.host] = event.text
        else:
            if event.kind == "start":
                self.since[event.host] = (event.task, time.monotonic())
                self.detail.pop(event.host, None)
            super().event(event, tally)
        self.live.update(self.table(tally))

    def tick(self, tally: Tally) -> None:
        self.live.update(self.table(tally))

    def table(self, tally: Tally) -> Table:
        now = time.monotonic()
        title = Text(f"{tally.play}  {clock(now - self.started)}")
        table = Table(box=None, pad_edge=False, title=title, title_justify="left", expand=True)
        for heading in ("machine", "ok", "changed"):
            table.add_column(heading, no_wrap=True)
        # Only the last column gives way where the terminal is narrow.
        table.add_column("at", overflow="ellipsis", no_wrap=True, ratio=1)
        for host in sorted({*tally.result.hosts, *tally.running}):
            counts = tally.result.hosts.get(host, {})
            task = tally.running.get(host, "")
            seconds = clock(now - self.since[host][1]) if task and host in self.since else ""
            at = " ".join(filter(None, (task, self.detail.get(host, "") if task else "", seconds)))
            table.add_row(host, str(counts.get("ok", 0)), str(counts.get("changed", 0)), Text(at))
        return table


@contextlib.contextmanager
def reporter(console: Console, *, live: bool = True) -> Iterator[Reporter]:
    """Return what shows a run on this console, for as long as the context lasts.

    `live` is for runs of which only the newest line matters; without it, every line stays to be read.
    """
    if not (live and console.is_terminal):
        yield Lines(console)
        return
    table = LiveTable(console)
    with table.live:
        yield table


def describe(event: Event) -> str | None:
    """Return the line that says what happened, or nothing where nothing worth a line did."""
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
    """Print what a run came to: the diffs in check mode, each failure once and whole, and the counters."""

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    for step in result.changes:
        if result.check and step.text:
            say(f"\n[bold]{step.host}: {escape(step.task)}[/bold]\n{escape(step.text.strip())}")
    for step in result.failures:
        say(f"\n[red]failed[/red] on {step.host}: {escape(step.task)}\n  " + escape(step.text).replace("\n", "\n  "))
    if result.status == "failed" and not result.failures:
        say("\n[red]failed[/red] before the first task:\n  " + escape("\n".join(result.output)).replace("\n", "\n  "))
    for step in result.running:
        say(
            f"  {step.host}: may still be at: {escape(step.task)}. Ansible no longer watches it; a new run picks it up."
        )
    say(sentence(result))


def checks(result: Result) -> list[dict[str, Any]]:
    """Return what the checks of `verify` found: host, name, ok, found, fix."""
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
    """Return how many tasks ran on a host."""
    return counts.get("ok", 0) + counts.get("failed", 0) + counts.get("unreachable", 0)


def as_json(result: Result) -> dict[str, Any]:
    """Return a result as plain data."""
    data = asdict(result) | {"changed": result.changed, "exit_code": result.exit_code, "checks": checks(result)}
    del data["results"]
    return data


def clock(seconds: float) -> str:
    """Return a duration as people read it: `42 s`, `3 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
