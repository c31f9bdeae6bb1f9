# SPDX-License-Identifier: GPL-3.0-or-later
"""`site`, `plan` and `verify`: run a playbook of the project over a site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.ansible import environment, reasons, report
from tars_provision.ansible.events import Result
from tars_provision.ansible.run import run_playbook
from tars_provision.assistant.client import endpoint
from tars_provision.commands.outcome import line
from tars_provision.controller import router, setup
from tars_provision.errors import ProvisionError, message
from tars_provision.project import ROOT
from tars_provision.spec.model import Site

ROUTER_ROLES = {"names", "host_address"}
"""Roles whose changes may need a setting in the router."""


@dataclass(frozen=True)
class Played:
    """Result of a run, and what a person does next."""

    result: Result
    next_steps: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 3 changes pending, 130 cancelled."""
        return self.result.exit_code

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {**report.as_json(self.result), "next_steps": self.next_steps}

    def show(self, console: Console) -> None:
        """Print changes, failures and counters."""
        report.summarise(self.result, console)
        for text in self.next_steps:
            line(console, text)


def play(
    name: str,
    inventory: Path,
    console: Console,
    *,
    check: bool = False,
    diff: bool = False,
    limit: str = "",
    tags: Sequence[str] = (),
    verbosity: int = 0,
) -> Played:
    """Run a playbook of the project over a site that is ready for it."""
    site = setup.ready(inventory)
    check_limit(limit, site)
    result = run(name, site, inventory, console, check=check, diff=diff, limit=limit, tags=tags, verbosity=verbosity)
    configured = name == "site" and result.status == "done" and not check and not tags
    return Played(result, next_steps(site, inventory, result) if configured else [])


class LimitError(ProvisionError):
    """--limit names a host or group that the site does not have."""

    exit_code = 2


def check_limit(limit: str, site: Site) -> None:
    """Raise LimitError if a name in Ansible's host pattern is unknown: Ansible would skip it with a warning."""
    known = [*site.hosts, "desktop", "nas", "all"]
    for item in re.split(r"[,:]", limit) if limit else ():
        name = item.lstrip("!&")
        if name not in known and not re.fullmatch(r"@.+|~.+|[\w.*?\[\]-]*[*?\[][\w.*?\[\]-]*", name):
            raise LimitError(message("--limit", found=repr(item), expected=f"one of {', '.join(known)}"))


def next_steps(site: Site, inventory: Path, result: Result) -> list[str]:
    """Return what a person does once a site is configured: the router's settings, if they changed, and the page."""
    url = endpoint(site, inventory).url
    changed = {step.task.partition(":")[0] for step in result.changes}
    advice = router.advice(site, router.hardware(site)) if ROUTER_ROLES & changed else []
    return [*advice, f"The page: {url}   For devices that warn about it: {url}trust"]


def run(
    name: str,
    site: Site,
    inventory: Path,
    console: Console,
    *,
    check: bool = False,
    diff: bool = False,
    limit: str = "",
    tags: Sequence[str] = (),
    keep: Iterable[str] = ("checks",),
    variables: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    verbosity: int = 0,
) -> Result:
    """Run a playbook of the project with its progress on a console, and return its result."""
    if ignored := environment.ignored():
        line(console, f"ignored from the environment: {', '.join(ignored)} (the project's ansible.cfg applies)")
    with report.reporter(console, live=name == "site", verbose=verbosity > 0) as shown:
        result = run_playbook(
            ROOT / "playbooks" / f"{name}.yml",
            inventory,
            shown,
            check=check,
            diff=diff,
            limit=limit,
            tags=tags,
            keep=keep,
            variables=variables,
            secrets=secrets,
            verbosity=verbosity,
        )
    result.failures = [reasons.explain(step, site) for step in result.failures]
    return result
