# SPDX-License-Identifier: GPL-3.0-or-later
"""`ask`: ask the assistant a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tars_provision.assistant import client
from tars_provision.commands.outcome import waiting
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class Answer:
    """An answer with its sources and citations, in the application's own form."""

    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print nothing more: the answer was printed as it came."""


def ask(inventory: Path, question: str, console: Console, **time: str | bool | None) -> Answer:
    """Ask a question; print the answer as it comes unless the console is for progress alone.

    `time` is the past time to answer for, as `client.ask` takes it.
    """
    endpoint = client.endpoint(load(inventory / SPEC), inventory)
    write: Callable[[str], None] = (lambda _: None) if console.stderr else (lambda text: click.echo(text, nl=False))
    return Answer(client.show(_awaited(client.ask(endpoint, question, **time), console), write))


def _awaited(events: Iterator[tuple[str, dict[str, Any]]], console: Console) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pass events on; report that the model works until the first part of its answer."""
    with waiting(console, "waiting for the answer"):
        before = []
        for event in events:
            before.append(event)
            if event[0] != "sources":
                break
    yield from before
    yield from events
