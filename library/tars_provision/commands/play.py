# SPDX-License-Identifier: GPL-3.0-or-later
"""`site`, `plan` and `verify`: run a playbook of the project over a site."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console

from tars_provision.ansible.events import Result
from tars_provision.ansible.report import as_json as plain
from tars_provision.ansible.report import reporter, summarise
from tars_provision.ansible.run import run_playbook
from tars_provision.assistant.client import endpoint
from tars_provision.controller import router, setup
from tars_provision.project import ROOT


def play(
    name: str, inventory: Path, *, check: bool = False, diff: bool = False, limit: str = "", as_json: bool = False
) -> int:
    """Run a playbook of the project over a site, show it, and return the exit code."""
    site = setup.ready(inventory)
    console = Console(stderr=as_json)
    result = run(name, inventory, console, check=check, diff=diff, limit=limit)
    if as_json:
        click.echo(json.dumps(plain(result), ensure_ascii=False))
    else:
        summarise(result, console)
        if name == "site" and result.status == "done" and not check:
            url = endpoint(site, inventory).url
            if {"names", "host_address"} & {step.task.partition(":")[0] for step in result.changes}:
                console.print("\n".join(router.advice(site, router.hardware(site))), highlight=False, soft_wrap=True)
            console.print(f"The page: {url}   For devices that warn about it: {url}trust", highlight=False)
    return result.exit_code


def run(
    name: str,
    inventory: Path,
    console: Console,
    *,
    check: bool = False,
    diff: bool = False,
    limit: str = "",
    tags: Sequence[str] = (),
    keep: Iterable[str] = ("checks",),
) -> Result:
    """Run a playbook of the project with its progress on a console."""
    with reporter(console, live=name == "site") as shown:
        return run_playbook(
            ROOT / "playbooks" / f"{name}.yml",
            inventory,
            shown,
            check=check,
            diff=diff,
            limit=limit,
            tags=tags,
            keep=keep,
        )
