# SPDX-License-Identifier: GPL-3.0-or-later
"""`backup key`: print the key of the backups for safekeeping, and check a copy of it or the recovery sheet."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.backup import Answer, on_desktop
from tars_provision.commands.outcome import line
from tars_provision.commands.questions import ask_secret
from tars_provision.controller import vault
from tars_provision.errors import ProvisionError, message
from tars_provision.recovery import check_words
from tars_provision.recovery.sheet import load


class KeyDiffersError(ProvisionError):
    """The vault has no key, or another one than a person has kept."""


@dataclass(frozen=True)
class Key:
    """The password of the repository of the backups."""

    key: str

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the key as plain data."""
        return {"key": self.key}

    def show(self, console: Console) -> None:
        """Print the key alone, so that it can be piped."""
        line(console, self.key)


def print_key(inventory: Path) -> Key:
    """Return the key that the vault of a site holds. Raises KeyDiffersError if it has none."""
    path, key = vault.secrets_file(inventory), vault.read(inventory).get("backup_key")
    if key is None:
        step = f"Run {next_step.command('init', '-i', inventory)}"
        raise KeyDiffersError(message(path, found="no backup_key", expected="the key of the backups", next_step=step))
    return Key(key)


def ask(inventory: Path, *, err: bool) -> str:
    """Ask for the kept key without showing it. Raises NoTerminalError."""
    command = next_step.command("backup", "key", "verify", "-i", inventory, "--key-file", "FILE")
    return ask_secret("the kept key", next_step=f"Write it to a file and run {command}", err=err)


def verify(inventory: Path, kept: str, console: Console, *, verbosity: int = 0) -> Answer:
    """Check that a kept copy of the key is the vault's, and that it opens the repository by itself.

    `kept` is the key, or its groups with their check words as the recovery sheet has them.
    Raises KeyDiffersError, TypingError.
    """
    key, kept = print_key(inventory).key, check_words.parse("key", kept)
    if not hmac.compare_digest(kept.encode(), key.encode()):
        position = next(
            (index for index, (own, other) in enumerate(zip(kept, key, strict=False), 1) if own != other), 0
        )
        where = f"character {position} is another one" if position else f"it has {len(kept)} characters"
        raise KeyDiffersError(
            message("the kept key", found=where, expected=f"the {len(key)} characters of the vault's backup_key")
        )
    sheet = json.dumps({"password": kept})
    return on_desktop(inventory, console, ["key", "--sheet", "-"], stdin=sheet, verbosity=verbosity)


def verify_sheet(inventory: Path, path: Path, console: Console, *, repair: bool, verbosity: int = 0) -> Answer:
    """Check that the recovery sheet of a file opens the repository by itself; with `repair`, write its files there.

    Raises SheetError, KeyDiffersError.
    """
    sheet = load(path)
    password_file = vault.vault_password_file()
    if password_file.exists() and password_file.read_text().strip() != sheet.vault:
        step = f"Run {next_step.command('backup', 'sheet', '-i', inventory)} and keep the new sheet"
        raise KeyDiffersError(
            message(path, found="another password of the vault", expected=f"that of {password_file}", next_step=step)
        )
    words = ["key", "--sheet", "-", *(["--repair"] if repair else [])]
    return on_desktop(inventory, console, words, stdin=sheet.for_repository(), verbosity=verbosity)
