# SPDX-License-Identifier: GPL-3.0-or-later
"""`demo --disaster`: the lab's desktop is destroyed after a backup, and a new one gives the same answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.ansible.report import clock, summarise
from tars_provision.assistant import client
from tars_provision.assistant.sample_documents import DemoError
from tars_provision.commands.backup import on_desktop
from tars_provision.commands.outcome import headline, line, waiting
from tars_provision.commands.play import run
from tars_provision.errors import message
from tars_provision.spec.model import Site

READY_TIMEOUT_S = 180
"""Longest time from the restore until the services are ready, which includes the first scan of the documents."""


@dataclass
class Disaster:
    """What the recovery gave: the backup, the sources of the answer before and after, and the time of each step."""

    backup: str = ""
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data; `seconds` by step."""
        seconds = {name: round(value, 1) for name, value in self.seconds.items()}
        return {"backup": self.backup, "before": self.before, "after": self.after, "seconds": seconds}

    def show(self, console: Console) -> None:
        """Print the times."""
        line(console, f"\nThe same question, the same sources: {', '.join(self.after)}")
        width = max(map(len, self.seconds))
        for name, value in self.seconds.items():
            line(console, f"  {name:<{width}}  {clock(value):>6}")

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Record how long a step takes."""
        started = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - started


def recover(
    site: Site,
    inventory: Path,
    endpoint: client.Endpoint,
    answer: Mapping[str, Any],
    ask: Callable[[], Mapping[str, Any]],
    console: Console,
) -> Disaster:
    """Back up the desktop, destroy it, set up a new one, restore the backup, and ask the same question with `ask`.

    Raises DemoError: a step failed, or the answer has other sources than before.
    """
    import tars_lab
    from tars_lab.commands import LabError

    disaster = Disaster(before=_cited(answer))
    headline(console, 6, "A backup of the desktop, on the NAS")
    with disaster.timed("backup"):
        disaster.backup = str(_tars_backup(inventory, console, ["run"])["id"])
    line(console, f"  {disaster.backup}")
    headline(console, 7, f"Disaster: {site.desktop} is destroyed, and a new bare machine takes its place")
    with disaster.timed("new bare machine"):
        try:
            tars_lab.destroy(site.desktop)
            tars_lab.up(inventory, lambda text: line(console, f"  {text}"))
        except LabError as error:
            raise DemoError(str(error)) from error
    headline(console, 8, "The same playbook for the new machine: playbooks/site.yml")
    with disaster.timed("site.yml"):
        result = run("site", site, inventory, console)
    summarise(result, console)
    if result.exit_code:
        raise DemoError(message(site.desktop, found="a failed run", expected="a new desktop that is set up"))
    headline(console, 9, "The data from the backup: playbooks/restore.yml")
    with disaster.timed("restore"):
        _tars_backup(inventory, console, ["restore", disaster.backup], playbook="restore")
    with disaster.timed("services ready"), waiting(console, "waiting for the services"):
        _wait_until_ready(endpoint)
    headline(console, 10, "The same question")
    with disaster.timed("answer"):
        disaster.after = _cited(ask())
    if disaster.after != disaster.before:
        raise DemoError(message("the answer", found=f"sources {disaster.after}", expected=f"{disaster.before}"))
    return disaster


def _cited(answer: Mapping[str, Any]) -> list[str]:
    """Return the documents that an answer cites."""
    names = {int(source["id"]): f"{source['source']}/{source['path']}" for source in answer["sources"]}
    return sorted({names[int(cited["source"])] for cited in answer["citations"]})


def _tars_backup(
    inventory: Path, console: Console, arguments: Sequence[str], playbook: str = "backup"
) -> Mapping[str, Any]:
    """Run a command of tars-backup on the desktop and return its result. Raises DemoError."""
    done = on_desktop(inventory, console, arguments, playbook=playbook)
    if done.exit_code or done.document is None:
        done.show(console)
        raise DemoError(message("tars-backup", found="a failed command", expected=f"`{' '.join(arguments)}` done"))
    return done.document


def _wait_until_ready(endpoint: client.Endpoint) -> None:
    """Wait until the application and all that it needs is ready. Raises DemoError."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not (state := client.get(endpoint, "/ready")).get("ready"):
        if time.monotonic() > deadline:
            step = f"{next_step.command('verify', '-i', endpoint.inventory)} checks every part"
            raise DemoError(message(endpoint.url, found=state, expected="every service ready", next_step=step))
        time.sleep(1)
