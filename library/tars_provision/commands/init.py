# SPDX-License-Identifier: GPL-3.0-or-later
"""`init`: prepare a site: a spec to edit, its secrets, the certificate of its NAS."""

from __future__ import annotations

from pathlib import Path

import click

from tars_provision.controller import setup, site_folder, trust, vault
from tars_provision.project import SPEC
from tars_provision.spec.load import load


def init(inventory: Path, dsm_password: str | None, *, trust_again: bool, yes: bool) -> None:
    """Write what is missing of a site: its spec, its secrets, the fingerprint of its NAS."""
    for path in site_folder.write_ansible_files(inventory):
        click.echo(f"{path}: written")
    if site_folder.write_sample(inventory):
        click.echo(f"{inventory / SPEC}: written; edit it, then run this again")
        return
    site = load(inventory / SPEC)
    have = vault.read(inventory)
    if dsm_password is None and "dsm_password" not in have:
        dsm_password = click.prompt(f"Password of the administrator's account on {site.nas}", hide_input=True)
    vault.ensure(inventory, {"dsm_password": dsm_password} if dsm_password else None)
    click.echo(f"{vault.secrets_file(inventory)}: {'complete' if have else 'made'} (vault)")
    click.echo(f"{vault.vault_password_file()}: opens it; keep a copy of this file outside the house")
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
