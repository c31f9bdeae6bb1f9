# SPDX-License-Identifier: GPL-3.0-or-later
"""`recover`: from the recovery sheet and a bare desktop back to a running site, on a computer that has nothing else."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.backup import on_desktop
from tars_provision.commands.outcome import line, waiting
from tars_provision.commands.play import play
from tars_provision.commands.questions import ask_secret, confirm
from tars_provision.controller import site_folder, vault
from tars_provision.desktop import connection
from tars_provision.errors import ProvisionError, message
from tars_provision.project import SPEC
from tars_provision.recovery import check_words, folder, repository
from tars_provision.recovery.folder import Progress
from tars_provision.recovery.repository import Key, Reader
from tars_provision.recovery.sheet import load
from tars_provision.spec.load import load as load_spec

SHOWN = 10
"""Number of the newest backups that are shown."""

TARGET = re.compile(r"(?P<login>(?:\w[\w.-]*@)?\w[\w.-]*)(?::(?P<port>\d+))?\Z")


class RecoveryError(ProvisionError):
    """A step of the recovery failed; run again, the command continues with it."""


@dataclass(frozen=True)
class Given:
    """What the sheet states, or a person has typed: the key, and where the repository is."""

    key: Key
    vault: str
    nas: str = ""
    share: str = ""
    desktop: str = ""


@dataclass
class Recovered:
    """Result of `recover`: the backup, and what was done, one line each."""

    inventory: Path
    backup: str = ""
    made_at: str = ""
    steps: list[str] = field(default_factory=list)

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data."""
        fields = {"backup": self.backup, "made_at": self.made_at, "steps": self.steps}
        return {"inventory": str(self.inventory), **fields}

    def show(self, console: Console) -> None:
        """Print what a person does next."""
        line(console, f"Next: {next_step.command('verify', '-i', self.inventory)}, then print a new sheet with")
        line(console, next_step.command("backup", "sheet", "-i", self.inventory))


def of_sheet(path: Path) -> Given:
    """Return what the sheet of a file states. Raises SheetError."""
    sheet = load(path)
    key = Key(sheet.for_repository(), sheet.repository, sheet.restic)
    return Given(key, sheet.vault, sheet.nas, sheet.share, sheet.desktop)


def ask(*, local: bool, err: bool) -> Given:
    """Ask for what is printed on the sheet; `local`: the repository is in a folder. Raises NoTerminalError."""
    step = "Scan the QR code of the sheet into a file and name it with --sheet"
    key = check_words.parse("key", ask_secret("the key of the backups, with its check words", next_step=step, err=err))
    password = ask_secret("the password of the vault, with its check words", next_step=step, err=err)
    restic = click.prompt("The first 8 digits of restic's SHA-256", err=err)
    places = () if local else ("NAS", "Share", "Desktop (its address)")
    answers = [str(click.prompt(f"{name} on the sheet", err=err)).strip() for name in places]
    return Given(
        Key(json.dumps({"password": key}), "", str(restic).strip()),
        check_words.parse("vault password", password),
        *answers,
    )


def login(target: str, private_key: Path | None, known_hosts: Path | None) -> list[str]:
    """Return the call of ssh that logs in to a target such as user@192.168.1.5:22. Raises RecoveryError."""
    match = TARGET.match(target)
    if not match:
        raise RecoveryError(message("--desktop", found=repr(target), expected="USER@ADDRESS or USER@ADDRESS:PORT"))
    words = ["ssh", *connection.OPTIONS, *(["-p", match["port"]] if match["port"] else [])]
    words += ["-i", str(private_key)] if private_key else []
    words += ["-o", f'UserKnownHostsFile="{known_hosts}"'] if known_hosts else []
    return [*words, match["login"]]


def reader(given: Given, command: list[str], path: Path | None) -> contextlib.AbstractContextManager[Reader]:
    """Return how the repository is read: in a folder if there is one, else through the desktop."""
    if path:
        return repository.in_folder(path, given.key)
    return repository.through_desktop(command, given.nas, given.share, given.desktop, given.key)


def recover(
    inventory: Path,
    given: Given,
    opened: contextlib.AbstractContextManager[Reader],
    console: Console,
    *,
    backup: str = "latest",
    yes: bool = False,
    only_folder: bool = False,
    verbosity: int = 0,
) -> Recovered:
    """Bring back the site folder, set the machines up, and restore the data; each step is skipped if it is done.

    The data of a desktop that is in use stay.

    Raises:
        ProvisionError: a step failed. Run again, the command continues with that step.
    """
    recovered = Recovered(inventory)

    def report(text: str) -> None:
        recovered.steps.append(text)
        line(console, text)

    done = folder.progress(inventory)
    if done is None:
        document = _bring_folder(inventory, given, opened, console, report, backup=backup, yes=yes)
        recovered.made_at = document["made_at"]
        done = Progress(document["id"], "folder")
        folder.record(inventory, done)
    else:
        report(f"{inventory}: continuing the recovery of {done.backup}, after the step {done.step}")
    recovered.backup = done.backup
    if only_folder:
        return recovered
    if done.step == "folder":
        with waiting(console, "reading whether the desktop is bare"):
            bare = connection.call(load_spec(inventory / SPEC), verb="contract")["contract"] is None
        done = Progress(done.backup, "desktop", bare)
        folder.record(inventory, done)
    if done.step == "desktop":
        played = play("site", inventory, console, verbosity=verbosity)
        if played.exit_code:
            played.show(console)
            raise _failed(inventory, "site", "machines that are set up as the spec describes")
        report("the machines are set up")
        done = Progress(done.backup, "site", done.bare)
        folder.record(inventory, done)
    if done.bare:
        _restore(inventory, given, done.backup, console, report, verbosity=verbosity)
    else:
        command = next_step.command("restore", done.backup, "-i", inventory)
        report(f"the desktop was in use, so its data stay; {command} returns them to the backup")
    folder.record(inventory, None)
    return recovered


def _bring_folder(
    inventory: Path,
    given: Given,
    opened: contextlib.AbstractContextManager[Reader],
    console: Console,
    report: Callable[[str], None],
    *,
    backup: str,
    yes: bool,
) -> dict[str, Any]:
    """Read the site folder out of a backup, and write it and the vault's password; return the backup."""
    with _reading(opened, console) as source:
        with waiting(console, "listing the backups"):
            listing, _ = source.run("list")
        for mark in listing["backups"][-SHOWN:]:
            line(console, f"  {mark['id']}  {mark['made_at']}")
        report(f"the sheet opens the repository: {len(listing['backups'])} backups")
        with waiting(console, "reading the site folder"):
            document, archive = source.run("site", backup, output=True)
    question = f"Bring back the site of {document['made_at']} ({document['id']}) into {inventory}?"
    if not yes and not confirm(question, "the recovery", next_step="Add --yes", err=console.stderr):
        raise click.Abort
    password_file = vault.vault_password_file()
    if folder.keep_vault_password(password_file, given.vault):
        report(f"{password_file}: written")
    new = folder.unpack(archive, inventory)
    site_folder.write_ansible_files(inventory)
    vault.read(inventory)  # the password opens the vault
    report(f"{inventory}: {len(new)} files of the site folder written")
    return document


@contextlib.contextmanager
def _reading(opened: contextlib.AbstractContextManager[Reader], console: Console) -> Iterator[Reader]:
    with contextlib.ExitStack() as stack:
        with waiting(console, "reaching the repository"):
            source = stack.enter_context(opened)
        yield source


def _restore(
    inventory: Path, given: Given, backup: str, console: Console, report: Callable[[str], None], *, verbosity: int
) -> None:
    """Put damaged key files of the repository right, and restore the backup."""
    words = ["key", "--sheet", "-", *(["--repair"] if "config" in json.loads(given.key.sheet) else [])]
    proven = on_desktop(inventory, console, words, stdin=given.key.sheet, verbosity=verbosity)
    if proven.exit_code:
        proven.show(console)
        raise _failed(inventory, "backup key verify", "a repository that the sheet opens")
    answer = on_desktop(inventory, console, ["restore", backup], playbook="restore", verbosity=verbosity)
    if answer.exit_code or not answer.document:
        answer.show(console)
        raise _failed(inventory, "restore", f"the data of {backup}")
    report(str(answer.document["text"]))


def _failed(inventory: Path, step: str, expected: str) -> RecoveryError:
    command = next_step.command("recover", "-i", inventory)
    again = f"Remove the cause, and run {command} with the same options, which continues here"
    return RecoveryError(message(step, found="a failure, see above", expected=expected, next_step=again))
