# SPDX-License-Identifier: GPL-3.0-or-later
"""`forget`: remove documents for good, list what was forgotten, and take it back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console

from tars_provision import next_step
from tars_provision.assistant import client
from tars_provision.assistant.client import AskError, Endpoint
from tars_provision.commands.outcome import line, waiting
from tars_provision.commands.questions import confirm
from tars_provision.project import SPEC
from tars_provision.spec.load import load

ERASED_WITHIN_S = 180.0
"""How long to wait for the worker to erase the files of the database. It begins with its next pass."""


@dataclass(frozen=True)
class Outcome:
    """The documents that were forgotten or, with `dry_run`, would be, in the application's own form; and failures.

    Attributes:
        failed: messages of the documents that could not be forgotten, by the names that were given.
        declined: names of the documents that the person wants to keep.
    """

    documents: tuple[dict[str, Any], ...]
    failed: dict[str, str]
    declined: tuple[str, ...]
    dry_run: bool
    inventory: Path

    @property
    def exit_code(self) -> int:
        """Return 1 if a document could not be forgotten, 3 if something is left to forget or to erase, else 0."""
        if self.failed:
            return 1
        return 3 if any(self.dry_run or not document["erased"] for document in self.documents) else 0

    def as_data(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return {
            "documents": list(self.documents),
            "failed": self.failed,
            "declined": list(self.declined),
            "dry_run": self.dry_run,
        }

    def show(self, console: Console) -> None:
        """Print what became of each document. What would be removed was printed before."""
        for document in () if self.dry_run else self.documents:
            line(console, f"Forgotten: {_name(document)}")
            erased = "The files of the database hold nothing of it any more."
            listing = next_step.command("forget", "--list", "-i", self.inventory)
            later = f"What the files of the database hold is not known to be erased yet; {listing} shows when it is."
            line(console, f"  {erased if document['erased'] else later}")
            undo = next_step.command("forget", "--undo", str(document["forgotten_id"]), "-i", self.inventory)
            line(console, f"  To have its file read again: {undo}")
        for name in self.declined:
            line(console, f"Kept: {name}")
        for name, reason in self.failed.items():
            line(console, f"Not forgotten: {name}: {reason}")


@dataclass(frozen=True)
class Listed:
    """What is on record of forgotten documents, in the application's own form."""

    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the list as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print a line for each document, the latest first."""
        if not self.content["forgotten"]:
            line(console, "No document was forgotten.")
        for entry in self.content["forgotten"]:
            versions = f"{entry['versions']} version{'' if entry['versions'] == 1 else 's'}"
            state = "erased" if entry["erased_at"] else "not erased from the files of the database yet"
            line(console, f"{entry['id']}  {_minute(entry['forgotten_at'])}  {versions}, {state}")


@dataclass(frozen=True)
class TakenBack:
    """A forgotten document whose contents are read again."""

    forgotten_id: UUID

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the id as plain data."""
        return {"taken_back": str(self.forgotten_id)}

    def show(self, console: Console) -> None:
        """Print what happens next."""
        line(console, "Files with these contents are read again in the next pass of the worker, as new documents.")


def forget(inventory: Path, names: Sequence[str], console: Console, *, dry_run: bool, yes: bool) -> Outcome:
    """Forget documents one after the other; a failure of one does not stop the others. Prints each preview.

    Raises:
        NoTerminalError: the question cannot be asked. The documents before it were forgotten.
    """
    to = client.endpoint(load(inventory / SPEC), inventory)
    done: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    declined: list[str] = []
    for name in dict.fromkeys(names):
        try:
            preview = client.query(to, "/api/forget", document=name)
            for text in describe(preview):
                line(console, text)
            if dry_run:
                done.append(preview)
            elif yes or _confirmed(preview, console):
                order = {"document": preview["document_id"], "confirm": preview["document_id"]}
                done.append(client.send(to, "POST", "/api/forget", order))
            else:
                declined.append(name)
        except AskError as error:
            failed[name] = str(error)
    if not dry_run:
        _await_erasure(to, done, console)
    return Outcome(tuple(done), failed, tuple(declined), dry_run, inventory)


def listed(inventory: Path) -> Listed:
    """Return what is on record of forgotten documents."""
    return Listed(client.query(client.endpoint(load(inventory / SPEC), inventory), "/api/forgotten"))


def undo(inventory: Path, forgotten_id: UUID) -> TakenBack:
    """Let the contents of a forgotten document be read again."""
    client.send(client.endpoint(load(inventory / SPEC), inventory), "DELETE", f"/api/forgotten/{forgotten_id}")
    return TakenBack(forgotten_id)


def describe(preview: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a preview: what is removed, which backups hold it, and what stays."""
    versions, passages = preview["versions"], preview["passages"]
    yield _name(preview)
    yield (
        f"  to remove: {versions} version{'' if versions == 1 else 's'} with {passages} "
        f"passage{'' if passages == 1 else 's'}, their vectors, and every path that it had"
    )
    for other in preview["shared_with"]:
        yield f"  same passages in: {other['source']}/{other['path']}"
    for backup in preview["backups"]["made"]:
        until = f", kept until about {backup['until'][:10]}" if backup["until"] else ""
        yield f"  in the backup of {_minute(backup['made'])}{until}"
    for sentence in preview["remains"]:
        yield f"  {sentence}"


def _confirmed(preview: dict[str, Any], console: Console) -> bool:
    question = f"Forget {_name(preview)}? This cannot be undone except from a backup or its file."
    return confirm(question, "forgetting", next_step="Add --yes", err=console.stderr)


def _await_erasure(to: Endpoint, documents: Sequence[dict[str, Any]], console: Console) -> None:
    """Wait until the worker has erased the documents from the files of the database, and note which are."""
    waited = {str(document["forgotten_id"]): document for document in documents}
    ends = time.monotonic() + ERASED_WITHIN_S
    with waiting(console, "waiting until the worker has erased the files of the database"):
        while not all(document["erased"] for document in waited.values()):
            try:
                entries = client.query(to, "/api/forgotten")["forgotten"]
            except AskError:
                entries = []  # the documents are forgotten; only their state is not known now
            for entry in entries:
                if entry["id"] in waited and entry["erased_at"]:
                    waited[entry["id"]]["erased"] = True
            if time.monotonic() >= ends:
                break
            time.sleep(0.5)


def _name(document: dict[str, Any]) -> str:
    return f"{document['source']}/{document['path']}"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
