# SPDX-License-Identifier: GPL-3.0-or-later
"""`backup key rotate`: exchange the key of the backups, in the vault, on the desktop, and in all repositories."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision.commands import backup_sheet
from tars_provision.commands.backup import Answer, on_desktop
from tars_provision.commands.backup_key import print_key
from tars_provision.commands.outcome import line
from tars_provision.controller import vault

KEY, NEXT, FORMER = "backup_key", "backup_key_next", "backup_key_former"
"""Secrets: the key in use; one that is being introduced; one that still opens a copy which was not connected."""


@dataclass(frozen=True)
class Rotated:
    """The exchanged key: what tars-backup returned, and the new recovery sheet."""

    document: Mapping[str, Any]
    sheet: backup_sheet.Written

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return both as plain data, without secrets."""
        return {**self.document, "sheet": self.sheet.as_data()}

    def show(self, console: Console) -> None:
        """Print what the new key opens, and what to do with the sheet."""
        line(console, str(self.document["text"]))
        self.sheet.show(console)
        line(console, "The sheets that were printed before open nothing any more: destroy them.")


def rotate(
    inventory: Path, console: Console, output: Path | None, *, as_pdf: bool, verbosity: int = 0
) -> Rotated | Answer:
    """Exchange the key of the backups and write a new recovery sheet; go on with an exchange that was interrupted.

    At each moment, the key in the vault and the key on the desktop open the repository. If the desktop does not carry a
    step out, the failed run is returned.

    Raises:
        KeyDiffersError: the vault has no key.
        VaultError: it cannot be read or written.
    """
    print_key(inventory)
    secrets = vault.read(inventory)
    if FORMER not in secrets:
        if NEXT not in secrets:
            secrets[NEXT] = random.token_urlsafe(24)
            vault.write(inventory, secrets)
        answer = _on_desktop(inventory, console, secrets[NEXT], secrets[KEY], (), verbosity)
        if not _is_done(answer):
            return answer
        secrets[FORMER], secrets[KEY] = secrets[KEY], secrets.pop(NEXT)
        vault.write(inventory, secrets)
    answer = _on_desktop(inventory, console, secrets[KEY], secrets[FORMER], ("--alone",), verbosity)
    if not _is_done(answer) or answer.document is None:
        return answer
    if not answer.document["absent"]:
        del secrets[FORMER]
        vault.write(inventory, secrets)
    written = backup_sheet.write(inventory, console, output, as_pdf=as_pdf, verbosity=verbosity)
    return Rotated(answer.document, written) if isinstance(written, backup_sheet.Written) else written


def _on_desktop(
    inventory: Path, console: Console, new: str, former: str, options: tuple[str, ...], verbosity: int
) -> Answer:
    passwords = json.dumps({"password": new, "former": former})
    return on_desktop(inventory, console, ["key", "--new", "-", *options], stdin=passwords, verbosity=verbosity)


def _is_done(answer: Answer) -> bool:
    return bool(answer.document and answer.document["ok"])
