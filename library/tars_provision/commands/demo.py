# SPDX-License-Identifier: GPL-3.0-or-later
"""`demo`: provision throwaway machines, put documents on their NAS, ask about them, and about one before it changed.

With `--disaster`, the desktop is then destroyed, and its data restored on a new one from the backup on the NAS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tars_provision import next_step
from tars_provision.ansible.events import Result
from tars_provision.ansible.report import as_json, clock, summarise
from tars_provision.assistant import client
from tars_provision.assistant.sample_documents import (
    CHANGING,
    SAMPLES,
    SHARE,
    DemoError,
    change,
    put,
    wait_until_changed,
    wait_until_indexed,
)
from tars_provision.commands.demo_disaster import Disaster, recover
from tars_provision.commands.history import Difference
from tars_provision.commands.outcome import headline, line
from tars_provision.commands.play import run
from tars_provision.controller import setup, site_folder

QUESTION = "What does error code E15 of the dishwasher mean?"
QUESTION_BEFORE = "How much is the excess for each claim?"


@dataclass(frozen=True)
class Demonstration:
    """Result of the demonstration: of the playbook, and the answers if the playbook succeeded.

    `before` is the answer about a document as it was before it changed.
    """

    result: Result
    seconds: float
    inventory: Path
    answer: dict[str, Any] = field(default_factory=dict)
    endpoint: client.Endpoint | None = None
    disaster: Disaster | None = None
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Exit code of the playbook."""
        return self.result.exit_code

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data; `disaster` only if the desktop was destroyed."""
        data = {
            "site": as_json(self.result),
            "seconds": round(self.seconds, 1),
            "answer": self.answer,
            "before": self.before,
        }
        return data if self.disaster is None else {**data, "disaster": self.disaster.as_data()}

    def show(self, console: Console) -> None:
        """Print what to try next, and how to remove the lab."""
        if self.endpoint is None:
            return
        if self.disaster:
            self.disaster.show(console)
        site = self.inventory.relative_to(Path.cwd()) if self.inventory.is_relative_to(Path.cwd()) else self.inventory
        disaster = {next_step.line("demo", "--disaster"): "destroys the desktop, and recovers it from its backup"}
        rows = {
            next_step.line("ask", "-i", site, "How do I refill the boiler?"): "another question",
            next_step.line("history", "-i", site, f"{SHARE}/{CHANGING}"): "the versions of the document that changed",
            f"https://{self.endpoint.address}/": f"the page; its certificate authority is {self.endpoint.authority}",
            next_step.line("lab", "shell", "client"): "a shell on a client machine",
            **({} if self.disaster else disaster),
            next_step.line("lab", "down"): "removes everything, and lists what it removed",
        }
        width = max(map(len, rows))
        lines = "\n".join(f"  {what:<{width}}  {meaning}" for what, meaning in rows.items())
        line(console, f"\nTotal time: {clock(self.seconds)}. The lab is still running:\n{lines}")


def demo(question: str | None, console: Console, *, disaster: bool = False) -> Demonstration:
    """Run the demonstration; the lab stays up. Raises DemoError."""
    import tars_lab
    from tars_lab.commands import LabError

    def report(text: str) -> None:
        line(console, f"  {text}")

    inventory, started = site_folder.lab_site(), time.monotonic()
    headline(console, 1, "Three bare machines: a desktop, a NAS, and a client")
    try:
        tars_lab.up(inventory, report)
    except LabError as error:
        raise DemoError(str(error)) from error
    site = setup.ready(inventory)
    headline(console, 2, "The playbook that configures real machines: playbooks/site.yml")
    result = run("site", site, inventory, console)
    summarise(result, console)
    if result.exit_code:
        return Demonstration(result, time.monotonic() - started, inventory)
    machine = next(name for name in site.shares[SHARE].clients if name in site.machines)
    headline(console, 3, f"Documents for the NAS, written from {machine} over NFS")
    samples = sorted(SAMPLES.iterdir())
    for sample in samples:
        put(site, machine, sample)
        report(f"{SHARE}/{sample.name}")
    endpoint = client.endpoint(site, inventory)
    wait_until_indexed(endpoint, {sample.name for sample in samples}, report)
    change(site)  # it is read while the first question is answered
    headline(console, 4, f"A question: {question or QUESTION}")
    write: Callable[[str], None] = lambda text: click.echo(text, nl=False, err=console.stderr)  # noqa: E731 - one line

    def ask() -> dict[str, Any]:
        return client.show(client.ask(endpoint, question or QUESTION), write)

    answer = ask()
    moment = wait_until_changed(endpoint)
    headline(console, 5, f"{SHARE}/{CHANGING} has changed. The same document before: {QUESTION_BEFORE}")
    before = client.show(client.ask(endpoint, QUESTION_BEFORE, as_of=moment), write)
    Difference(client.query(endpoint, "/api/diff", document=f"{SHARE}/{CHANGING}", since=moment)).show(console)
    recovered = recover(site, inventory, endpoint, answer, ask, console) if disaster else None
    return Demonstration(result, time.monotonic() - started, inventory, answer, endpoint, recovered, before)
