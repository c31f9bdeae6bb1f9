# SPDX-License-Identifier: GPL-3.0-or-later
"""`init`: prepare a site: a spec to edit, its secrets, the certificate of its NAS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.outcome import line, waiting
from tars_provision.commands.questions import ask_secret, confirm
from tars_provision.controller import setup, site_folder, trust, vault
from tars_provision.project import SPEC
from tars_provision.spec.load import load
from tars_provision.spec.model import Site

Report = Callable[[str], None]


@dataclass
class Prepared:
    """Result of `init`: what was done, one line each. `ready` is false while the spec is still to be edited."""

    inventory: Path
    ready: bool = False
    fingerprint: str = ""
    steps: list[str] = field(default_factory=list)

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        fields = {"ready": self.ready, "fingerprint": self.fingerprint, "steps": self.steps}
        return {"inventory": str(self.inventory), **fields}

    def show(self, console: Console) -> None:
        """Print nothing more: each step was printed when it was done."""


def init(
    inventory: Path, dsm_password: str | None, console: Console, *, trust_again: bool = False, yes: bool = False
) -> Prepared:
    """Create what is missing of a site: its spec, its secrets, the recorded certificate of its NAS."""
    prepared = Prepared(inventory)

    def report(text: str) -> None:
        prepared.steps.append(text)
        line(console, text)

    for path in site_folder.write_ansible_files(inventory):
        report(f"{path}: written")
    if site_folder.write_sample(inventory):
        report(f"{inventory / SPEC}: written; edit it, then run this command again")
        return prepared
    site = load(inventory / SPEC)
    existing = vault.read(inventory)
    if dsm_password is None and "dsm_password" not in existing:
        dsm_password = _ask_password(site, inventory, console)
    vault.ensure(inventory, {"dsm_password": dsm_password} if dsm_password else None)
    report(f"{vault.secrets_file(inventory)}: {'complete' if existing else 'created'} (vault)")
    report(f"{vault.vault_password_file()}: its password; keep a copy of this file outside the house")
    with waiting(console, f"waiting for the certificate of {site.nas}"):
        prepared.fingerprint = setup.certificate(site)
    _record(site, prepared, console, report, trust_again=trust_again, yes=yes)
    prepared.ready = True
    return prepared


def _ask_password(site: Site, inventory: Path, console: Console) -> str:
    """Ask for the password of the NAS's account without showing it. Raises NoTerminalError."""
    subject = f"the password of the administrator's account {site.nas_host.dsm.account} on {site.nas}"
    command = next_step.command("init", "-i", inventory, "--dsm-password-file", "FILE")
    return ask_secret(subject, next_step=f"Write it to a file and run {command}", err=console.stderr)


def _confirmed(site: Site, inventory: Path, console: Console) -> bool:
    """Ask whether the NAS shows the same fingerprint. Raises NoTerminalError."""
    step = f"Compare the fingerprint; if it is the same, run {next_step.command('init', '-i', inventory, '--yes')}"
    subject = f"the certificate of {site.nas}"
    return confirm("Are they the same?", subject, next_step=step, err=console.stderr)


def _record(site: Site, prepared: Prepared, console: Console, report: Report, *, trust_again: bool, yes: bool) -> None:
    """Record the certificate of a site's NAS once a person has compared it."""
    inventory, presented = prepared.inventory, prepared.fingerprint
    known = trust.recorded(inventory).get(site.nas)
    if known == presented:
        report(f"{site.nas}: presents the recorded certificate")
        return
    if setup.signed_by_authority(site, inventory):
        trust.record(inventory, site.nas, presented, replace=True)
        report(f"{site.nas}: presents a certificate that the site's authority signed; recorded")
        return
    if trust_again or known is None:
        lines = setup.fingerprint_lines(presented)
        line(console, f"{site.nas} presents a certificate with this SHA-256 fingerprint:\n{lines}")
        line(console, "DSM shows its own under Control Panel > Security > Certificate.")
        if not (yes or _confirmed(site, inventory, console)):
            raise click.Abort
    trust.record(inventory, site.nas, presented, replace=trust_again)
    report(f"{trust.recorded_file(inventory)}: recorded")
