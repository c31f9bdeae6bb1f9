# SPDX-License-Identifier: GPL-3.0-or-later
"""`renew`: renew the NAS's certificate, and the timer that does it daily."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from tars_provision.ansible.report import as_json as plain
from tars_provision.ansible.report import summarise
from tars_provision.commands.play import run
from tars_provision.controller import renewal_timer as timer
from tars_provision.controller import setup


def renew(inventory: Path, *, as_json: bool) -> int:
    """Renew the certificate of a site's NAS if it is due, and return the exit code."""
    site = setup.ready(inventory)
    console = Console(stderr=as_json)
    result = run("site", inventory, console, limit=site.nas, tags=("certificate",))
    if as_json:
        click.echo(json.dumps(plain(result), ensure_ascii=False))
    else:
        summarise(result, console)
    return result.exit_code


def set_timer(inventory: Path, *, on: bool) -> None:
    """Set up the timer that renews by itself, or take it away."""
    if on:
        setup.ready(inventory)
        click.echo(f"{timer.turn_on(inventory)}: looks every day; `systemctl list-timers` tells when")
    else:
        click.echo(f"{timer.NAME}: {'removed' if timer.turn_off() else 'there was none'}")
