# SPDX-License-Identifier: GPL-3.0-or-later
"""`library` and `original`: the states of the files of the shares, reading files again, and downloading one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.assistant import client
from tars_provision.assistant.client import AskError, Endpoint, RefusedError
from tars_provision.commands.outcome import line
from tars_provision.errors import ProvisionError, message
from tars_provision.files import write_atomic
from tars_provision.project import SPEC
from tars_provision.spec.load import load

_STATES = ("read", "reading", "waiting", "found", "failed", "ignored")


@dataclass(frozen=True)
class Overview:
    """The counts of a folder and of those in it, and the files that were asked for, in the application's own form."""

    content: dict[str, Any]
    listing: dict[str, Any] | None
    inventory: Path

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the counts and files as plain data."""
        return {**self.content, **(self.listing or {})}

    def show(self, console: Console) -> None:
        """Print the progress and a line for each folder; or a line or two for each file. Then the next step."""
        line(console, self.content["progress"]["text"])
        for share in self.content["shares"]:
            if not share["available"] or share["detail"]:
                line(console, f"! {share['name']}: {share['detail'] or 'not available'}")
        if self.listing is None:
            self._show_folders(console)
            return
        files, total = self.listing["files"], self.listing["total"]
        for entry in files:
            _show_file(console, entry)
        if total > len(files):
            line(console, f"{len(files)} of {total:,} files; --limit lists more, and --export FILE writes all of them.")
        if not files:
            line(console, "No file matches.")

    def _show_folders(self, console: Console) -> None:
        for folder in self.content["folders"]:
            line(console, f"{folder['path']}: {_counts(folder['counts'])}")
        line(console, f"{self.content['folder'] or 'all shares'}: {_counts(self.content['counts'])}")
        if self.content["counts"]["failed"]:
            options = [self.content["folder"]] if self.content["folder"] else []
            command = next_step.command("library", "list", *options, "--state", "failed", "-i", self.inventory)
            line(console, f"Show why: {command}")


@dataclass(frozen=True)
class File:
    """A file, and whether it was read, in the application's own form."""

    content: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """Return 0 if the file was read, else 1."""
        return 0 if self.content["state"] == "read" else 1

    def as_data(self) -> dict[str, Any]:
        """Return the file as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print its state, and why it is not read."""
        _show_file(console, self.content)


@dataclass(frozen=True)
class Exported:
    """A table of files that was written."""

    path: Path
    size: int

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the path and size as plain data."""
        return {"path": str(self.path), "bytes": self.size}

    def show(self, console: Console) -> None:
        """Print what was written."""
        line(console, f"{self.path}: {self.size:,} bytes written")


@dataclass(frozen=True)
class Retried:
    """What is read again, by the paths that were given, and why others are not."""

    done: dict[str, dict[str, Any]]
    failed: dict[str, str]

    @property
    def exit_code(self) -> int:
        """Return 1 if a file cannot be read again, else 0."""
        return 1 if self.failed else 0

    def as_data(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return {"done": self.done, "failed": self.failed}

    def show(self, console: Console) -> None:
        """Print a line for each path."""
        for name, result in self.done.items():
            line(console, f"{name}: {result['text']}" if name else result["text"])
        for name, reason in self.failed.items():
            line(console, f"Not read again: {name}: {reason}")


@dataclass(frozen=True)
class Downloaded:
    """A file that was written, and what the application answered about it."""

    path: Path
    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return where the file was written, and the application's fields in `original`."""
        return {"path": str(self.path), "bytes": self.content["size"], "original": self.content}

    def show(self, console: Console) -> None:
        """Print what was written."""
        source = f"{self.content['source']}/{self.content['path']}"
        snapshot = f" in the snapshot {self.content['snapshot']}" if self.content["snapshot"] else ""
        line(console, f"{self.path}: {self.content['size']:,} bytes written, from {source}{snapshot}")


def overview(inventory: Path, folder: str | None, state: str | None, text: str | None, limit: int) -> Overview:
    """Return the counts of a folder, None for all shares, and with a state or text the files that have it."""
    to = _endpoint(inventory)
    content = client.query(to, "/api/library", folder=folder)
    listing = None
    if state or text:
        selection = {"folder": folder, "state": state, "text": text}
        listing = client.query(to, "/api/library/files", **selection, limit=str(limit))
    return Overview(content, listing, inventory)


def file(inventory: Path, name: str) -> File:
    """Return whether a file was read, by its path or name."""
    return File(client.query(_endpoint(inventory), "/api/library/file", path=name))


def export(inventory: Path, folder: str | None, state: str | None, text: str | None, target: Path) -> Exported:
    """Write a table of all files of a selection, CSV or JSON by the ending of its name."""
    form = "json" if target.suffix.lower() == ".json" else "csv"
    selection = {"folder": folder, "state": state, "text": text, "format": form}
    content = client.download(_endpoint(inventory), "/api/library/export", **selection)
    write_atomic(target, content)
    return Exported(target, len(content))


def original(inventory: Path, document: str, as_of: str | None, output: Path | None) -> Downloaded:
    """Write the file of a document, in the last version or that of a time, to `output`, or else under its own name.

    Raises:
        ProvisionError: a file with its own name is in the current folder already, or nothing can be written.
        AskError: the application has no such file, or cannot be reached.
    """
    to = _endpoint(inventory)
    described = client.query(to, "/api/originals", document=document, as_of=as_of)
    target = output or Path(described["name"].replace("/", "_"))
    if output is None and target.exists():
        raise ProvisionError(
            message(
                str(target),
                found="a file of this name",
                expected="none",
                next_step="Name another one with --output FILE",
            )
        )
    write_atomic(target, client.download(to, f"/api/originals/{described['version_id']}/file"))
    return Downloaded(target, described)


def retry(inventory: Path, paths: Sequence[str]) -> Retried:
    """Let files, or the failed ones of folders, be read again; all failed ones without paths."""
    to = _endpoint(inventory)
    if not paths:
        return Retried({"": _send(to, {"failed": True})}, {})
    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        try:
            done[path] = _retry(to, path)
        except AskError as error:
            failed[path] = str(error)
    return Retried(done, failed)


def _retry(to: Endpoint, path: str) -> dict[str, Any]:
    """Let a file be read again; if there is none of this path, the failed files of the folder."""
    try:
        return _send(to, {"path": path})
    except RefusedError as error:
        if error.body.get("code") != "no_file":
            raise
        folder = client.query(to, "/api/library", folder=path)
        if not any(folder["counts"].values()):
            raise
        return _send(to, {"folder": path})


def _send(to: Endpoint, order: dict[str, Any]) -> dict[str, Any]:
    return client.send(to, "POST", "/api/library/retry", order)


def _endpoint(inventory: Path) -> Endpoint:
    return client.endpoint(load(inventory / SPEC), inventory)


def _show_file(console: Console, entry: dict[str, Any]) -> None:
    since = f" since {str(entry['since'])[:16].replace('T', ' ')}" if entry["since"] else ""
    line(console, f"{entry['source']}/{entry['path']}: {entry['state']}{since}")
    words = [entry["reason"], entry["note"], entry["next_step"]]
    if entry["earlier"]:
        words.insert(1, "Answers use its earlier version.")
    if text := " ".join(filter(None, words)):
        line(console, f"  {text}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[state]:,} {state}" for state in _STATES if counts[state]) or "empty"
