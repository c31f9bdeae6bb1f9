# SPDX-License-Identifier: GPL-3.0-or-later
"""`backup sheet`: write the recovery sheet of a site, to be printed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.backup import Answer, on_desktop
from tars_provision.commands.backup_key import print_key
from tars_provision.commands.outcome import line
from tars_provision.controller import vault
from tars_provision.files import write_atomic
from tars_provision.project import SPEC
from tars_provision.recovery import sheet_page
from tars_provision.recovery.sheet import Sheet
from tars_provision.spec.load import load
from tars_provision.spec.model import Site


@dataclass(frozen=True)
class Written:
    """The file of a recovery sheet."""

    path: Path
    repository: str
    made_on: str

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the file as plain data, without its secrets."""
        return {"path": str(self.path), "repository": self.repository, "made_on": self.made_on}

    def show(self, console: Console) -> None:
        """Print what to do with the file."""
        line(console, f"{self.path}: written. It is secret: print it, keep it outside the house, and delete the file.")
        verify = next_step.command("backup", "key", "verify", "--sheet", "FILE")
        line(console, f"Try the printed sheet once: scan its QR code into a file and run {verify}.")


def write(
    inventory: Path, console: Console, output: Path | None, *, as_pdf: bool, verbosity: int = 0
) -> Written | Answer:
    """Write the recovery sheet to a file that only its owner can read, and return it.

    If the desktop does not return what belongs on it, the failed run is returned.
    """
    answer = on_desktop(inventory, console, ["key"], verbosity=verbosity)
    if not answer.document or not answer.document["ok"]:
        return answer
    sheet = compose(load(inventory / SPEC), inventory, answer.document, date.today())
    path = output or Path(f"recovery-sheet-{sheet.made_on}.{'pdf' if as_pdf else 'html'}")
    write_atomic(path, sheet_page.as_pdf(sheet) if as_pdf else sheet_page.as_html(sheet), 0o600)
    return Written(path, sheet.repository, sheet.made_on)


def compose(site: Site, inventory: Path, key: Mapping[str, Any], today: date) -> Sheet:
    """Return the sheet of a site: its secrets, and what tars-backup returned about the repository."""
    assert site.backup is not None  # noqa: S101  for the type checker: on_desktop refuses a site without backups
    return Sheet(
        made_on=today.isoformat(),
        nas=str(site.nas_host.address),
        share=f"{site.backup.volume}/{site.backup.share}",
        desktop=f"{site.desktop_host.address}/{site.network.cidr.prefixlen}",
        repository=key["repository_id"],
        key=print_key(inventory).key,
        vault=vault.ensure_vault_password(vault.secrets_file(inventory)),
        config=key["config"],
        key_file=key_file_of(key),
        restic=key["restic_sha256"],
    )


def key_file_of(key: Mapping[str, Any]) -> str:
    """Return the key file, which is JSON, out of what tars-backup returned."""
    return base64.b64decode(key["key"]).decode()
