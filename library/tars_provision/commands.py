# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that talk while they work: preparing a site, and running a playbook over it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console

from tars_provision import benchmark as measuring
from tars_provision import renew as renewal
from tars_provision import router, secrets, setup, trust
from tars_provision.ask import door
from tars_provision.events import Result
from tars_provision.load import load
from tars_provision.project import ROOT, SPEC
from tars_provision.report import as_json as plain
from tars_provision.report import reporter, summarise
from tars_provision.run import run_playbook


def init(inventory: Path, dsm_password: str | None, *, trust_again: bool, yes: bool) -> None:
    """Write what is missing of a site: its spec, its secrets, the fingerprint of its NAS."""
    if setup.write_sample(inventory):
        click.echo(f"{inventory / SPEC}: written; edit it, then run this again")
        return
    site = load(inventory / SPEC)
    have = secrets.read(inventory)
    if dsm_password is None and "dsm_password" not in have:
        dsm_password = click.prompt(f"Password of the administrator's account on {site.nas}", hide_input=True)
    secrets.ensure(inventory, {"dsm_password": dsm_password} if dsm_password else None)
    click.echo(f"{secrets.secrets_file(inventory)}: {'complete' if have else 'made'} (vault)")
    click.echo(f"{secrets.vault_password_file()}: opens it; keep a copy of this file outside the house")
    contact(inventory, trust_again=trust_again, yes=yes)


def contact(inventory: Path, *, trust_again: bool, yes: bool) -> None:
    """Record the certificate of a site's NAS once a person has compared it."""
    site = load(inventory / SPEC)
    found = setup.certificate(site)
    if trust.recorded(inventory).get(site.nas) == found:
        click.echo(f"{site.nas}: shows the certificate that is recorded")
        return
    if setup.vouched_for(site, inventory):
        trust.record(inventory, site.nas, found, replace=True)
        click.echo(f"{site.nas}: shows a certificate of the household's authority; recorded")
        return
    if trust_again or site.nas not in trust.recorded(inventory):
        click.echo(f"{site.nas} shows a certificate with the SHA-256 fingerprint\n{setup.fingerprint_lines(found)}")
        click.echo("DSM shows its own under Control Panel > Security > Certificate.")
        if not yes:
            click.confirm("Are they the same?", abort=True)
    trust.record(inventory, site.nas, found, replace=trust_again)
    click.echo(f"{trust.recorded_file(inventory)}: recorded")


def trust_lines(inventory: Path, as_json: bool) -> None:
    """Print what a person compares before a device trusts the household's authority, and where the device finds it."""
    page = f"{door(load(inventory / SPEC), inventory).url}trust"
    file, value = trust.authority_file(inventory), trust.authority_fingerprint(inventory)
    if as_json:
        click.echo(json.dumps({"file": str(file), "page": page, "sha256": value}))
    else:
        click.echo(
            f"{file}: SHA-256 fingerprint\n{setup.fingerprint_lines(value)}\n{page} says what to do on each device"
        )


def names(inventory: Path, *, here: bool, as_json: bool) -> None:
    """Print what the router has to be told, and whether this computer finds the household's names."""
    site = load(inventory / SPEC)
    if here and router.ask_here(site):
        click.echo(f"{router.DROP_IN}: written; systemd-resolved asks the desktop for {site.domain}", err=as_json)
    found, told = router.finds(site), router.advice(site, router.hardware(site))
    name = site.names_of(site.desktop)[0]
    if as_json:
        click.echo(json.dumps({"router": told, "name": name, "found": found}))
        return
    click.echo("\n".join(told))
    click.echo(
        f"This computer finds {name}."
        if found
        else f"This computer does not find {name}: tell the router, or let this computer alone ask: "
        "`tars-provision names --here`"
    )


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
            url = door(site, inventory).url
            if {"names", "host_address"} & {step.task.partition(":")[0] for step in result.changes}:
                console.print("\n".join(router.advice(site, router.hardware(site))), highlight=False, soft_wrap=True)
            console.print(f"The page: {url}   For devices that warn about it: {url}trust", highlight=False)
    return result.exit_code


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


def renewal_timer(inventory: Path, *, on: bool) -> None:
    """Set up the timer that renews by itself, or take it away."""
    if on:
        setup.ready(inventory)
        click.echo(f"{renewal.turn_on(inventory)}: looks every day; `systemctl list-timers` tells when")
    else:
        click.echo(f"{renewal.NAME}: {'removed' if renewal.turn_off() else 'there was none'}")


def benchmark(inventory: Path, *, as_json: bool = False) -> int:
    """Measure the chat model, show what came of it and of earlier runs, and return the exit code."""
    setup.ready(inventory)
    console = Console(stderr=as_json)
    result = run("benchmark", inventory, console, keep=["comparison"])
    measured = [data for _, data in result.results]
    if as_json:
        click.echo(json.dumps(measured[0] if measured else plain(result), ensure_ascii=False))
        return result.exit_code
    runs = measuring.history(inventory)
    if measured and runs:
        picture = measuring.history_file(inventory).with_suffix(".png")
        measuring.plot(runs, picture)
        console.print(measuring.table(runs))
        console.print(f"{measured[0]['comparison']}\nThe picture: {picture}", highlight=False)
    summarise(result, console)
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
