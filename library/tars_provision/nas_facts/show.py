# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the twelve facts: a line for each while they run, and a table at the end on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tars_provision import next_step
from tars_provision.nas_facts.checks import CHECKS, Check
from tars_provision.nas_facts.run import Fact, Progress

COLOURS = {"as assumed": "green", "differs": "yellow", "not available": "bright_black"}


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Show which check runs: on a terminal in a status line, elsewhere as lines."""

    def line(number: int, check: Check) -> str:
        return f"{number} of {len(CHECKS)}: {check.name}"

    if console.is_terminal:
        with console.status("asking the NAS") as status:
            yield lambda number, check: status.update(f"asking the NAS, {line(number, check)}")
    else:
        yield lambda number, check: console.print(line(number, check), highlight=False)


def table(facts: list[Fact]) -> Table:
    """Return what is assumed, what was seen, and the verdict, as a table."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="bold")
    shown.add_column("", justify="right")
    shown.add_column("check")
    shown.add_column("verdict", no_wrap=True)
    shown.add_column("the modules assume", ratio=2)
    shown.add_column("seen on the NAS", ratio=3, overflow="fold")
    for number, fact in enumerate(facts, 1):
        colour = COLOURS[fact.verdict]
        cells = [
            escape("; ".join(fact.seen)),
            *(f"[yellow]{escape(line)}[/yellow]" for line in fact.differs),
            *(f"[bright_black]not seen: {escape(line)}[/bright_black]" for line in fact.unseen),
        ]
        verdict = f"[{colour}]{fact.verdict}[/{colour}]"
        shown.add_row(str(number), fact.name, verdict, fact.assumed, "\n".join(filter(None, cells)))
    return shown


def lines(facts: list[Fact]) -> Iterator[str]:
    """Yield the same as lines, for files and pipes."""
    for number, fact in enumerate(facts, 1):
        yield f"{number:2} {fact.name}: {fact.verdict}"
        yield f"     assumed: {fact.assumed}"
        if fact.seen:
            yield f"     seen: {'; '.join(fact.seen)}"
        yield from (f"     differs: {line}" for line in fact.differs)
        yield from (f"     not seen: {line}" for line in fact.unseen)


def sentence(facts: list[Fact], inventory: Path) -> str:
    """Return the last line: the number of each verdict, and the next step if something differs."""
    counts = {verdict: sum(fact.verdict == verdict for fact in facts) for verdict in COLOURS}
    summary = "; ".join(f"{verdict}: {count}" for verdict, count in counts.items() if count)
    record = next_step.command("nas", "facts", "-i", inventory, "--save", "FILE")
    step = f"Do not configure this NAS yet: record it with {record} and report the difference."
    return f"{summary}. {step}" if counts["differs"] else f"{summary}."
