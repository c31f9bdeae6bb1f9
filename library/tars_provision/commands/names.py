# SPDX-License-Identifier: GPL-3.0-or-later
"""`names`: what the router needs for the household's names, and whether this computer resolves them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tars_provision.controller import router
from tars_provision.project import SPEC
from tars_provision.spec.load import load


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
