# SPDX-License-Identifier: GPL-3.0-or-later
"""What all commands return, and how it is printed: as text for people, or as one JSON object."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import click
from rich.console import Console
from rich.markup import escape

QUIET_S = 2
"""Seconds after which a command without output reports what it waits for."""


class Outcome(Protocol):
    """Result of a command."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 2 wrong usage or a spec with mistakes, 3 changes pending, 130 cancelled."""
        ...

    def as_data(self) -> Any:
        """Return the result as plain data, for `--json`."""
        ...

    def show(self, console: Console) -> None:
        """Print the result for people."""
        ...


def console_of(as_json: bool) -> Console:
    """Return the console for progress: standard output, or standard error beside a JSON object."""
    # Without emoji: the `:AB:` of a fingerprint is the name of one.
    return Console(stderr=as_json, emoji=False)


def finish(outcome: Outcome, *, as_json: bool) -> int:
    """Print the result of a command and return its exit code."""
    if as_json:
        click.echo(json.dumps(outcome.as_data(), ensure_ascii=False))
    else:
        outcome.show(console_of(as_json))
    return outcome.exit_code


def line(console: Console, text: str) -> None:
    """Print plain text in full, however narrow the terminal is."""
    console.print(escape(text), highlight=False, soft_wrap=True)


def headline(console: Console, number: int, text: str) -> None:
    """Print the heading of a step."""
    console.print(f"\n[bold]{number}. {text}[/bold]", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Report what a command waits for: at once on a terminal, elsewhere after `QUIET_S`."""
    if console.is_terminal:
        with console.status(escape(text)):
            yield
        return
    timer = threading.Timer(QUIET_S, line, (console, f"{text} ..."))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
