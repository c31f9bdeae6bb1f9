# SPDX-License-Identifier: GPL-3.0-or-later
"""`history` and `diff`: the versions of a document, and what changed between two times in it or about a topic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.assistant import client
from tars_provision.commands.outcome import line
from tars_provision.project import SPEC
from tars_provision.spec.load import load


@dataclass(frozen=True)
class History:
    """The versions of a document, in the application's own form."""

    inventory: Path
    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the history as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print a line for each version, the oldest first; then the next step."""
        name = f"{self.content['source']}/{self.content['path']}"
        deleted = self.content["deleted"]
        line(console, f"{name}{f': deleted on {_minute(deleted)}' if deleted else ''}")
        versions = self.content["versions"]
        if self.content["kept_since"]:
            line(console, f"  {_removed(self.content['kept_since'])}")
        for version in versions:
            line(console, "  " + ", ".join(_cells(version, self.content)))
        if len(versions) > 1:
            since = str(versions[0]["observed"])
            line(console, f"Compare: {next_step.command('diff', '--since', since, name, '-i', self.inventory)}")


@dataclass(frozen=True)
class Difference:
    """What changed in a document, in the application's own form."""

    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print the removed and added sentences, each with its page."""
        for side, label in (("before", "-"), ("after", "+")):
            version = self.content[side]
            line(console, f"{label} {_label(version) if version else 'the document did not exist'}")
        if not self.content["changes"]:
            line(console, "No sentence differs.")
        for change in self.content["changes"]:
            line(console, "")
            for mark, quotes in (("-", change["removed"]), ("+", change["added"])):
                for quote in quotes:
                    line(console, f"{mark} {' '.join(quote['quote'].split())}{_page(quote)}")


@dataclass(frozen=True)
class TopicDifference:
    """What changed about a topic, in the application's own form."""

    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the differences as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print the difference of each document, then the documents without one."""
        if not self.content["documents"]:
            line(console, "Nothing changed about it.")
        for document in self.content["documents"]:
            Difference(document).show(console)
            line(console, "")
        for place in self.content["unchanged"]:
            line(console, f"unchanged: {place['source']}/{place['path']}")
        for place in self.content["not_compared"]:
            line(console, f"not compared: {place['source']}/{place['path']}: {place['reason']}")


@dataclass(frozen=True)
class Retention:
    """How long versions are kept, in the application's own form."""

    content: dict[str, Any]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the rule as plain data."""
        return self.content

    def show(self, console: Console) -> None:
        """Print the rule, what was removed by it, and what it removes next."""
        years = self.content["years"]
        if years is None:
            line(console, "Every version is kept: the spec sets no versions.years.")
        else:
            line(console, f"Versions are kept for {years} year{'' if years == 1 else 's'} after they ended.")
        if self.content["kept_since"]:
            line(console, _removed(self.content["kept_since"]))
        if years is not None:
            counts = [
                f"{self.content[name]} {label}{'' if self.content[name] == 1 else 's'}"
                for name, label in (("versions", "version"), ("passages", "passage"), ("documents", "deleted document"))
            ]
            line(console, f"To remove from {_minute(self.content['begins'])} on: {', '.join(counts)}.")


def history(inventory: Path, document: str) -> History:
    """Return the versions of a document."""
    endpoint = client.endpoint(load(inventory / SPEC), inventory)
    return History(inventory, client.query(endpoint, "/api/history", document=document))


def retention(inventory: Path) -> Retention:
    """Return how long versions are kept, and how many the rule removes next."""
    return Retention(client.query(client.endpoint(load(inventory / SPEC), inventory), "/api/retention"))


def diff(inventory: Path, document: str, since: str, until: str | None) -> Difference:
    """Return what changed in a document between two times; `until` None: now."""
    endpoint = client.endpoint(load(inventory / SPEC), inventory)
    return Difference(client.query(endpoint, "/api/diff", document=document, since=since, until=until))


def topic(inventory: Path, words: str, since: str, until: str | None) -> TopicDifference:
    """Return what changed about a topic between two times; `until` None: now."""
    endpoint = client.endpoint(load(inventory / SPEC), inventory)
    return TopicDifference(client.query(endpoint, "/api/topic", q=words, since=since, until=until))


def _cells(version: dict[str, Any], history: dict[str, Any]) -> Iterator[str]:
    """Yield what the line of a version states."""
    until = f"until {_minute(version['until'])}" if version["until"] else "current"
    yield f"{_minute(version['observed'])} {until}"
    if version["snapshot"]:
        yield "seen in a snapshot of the NAS"
    if version["dated"]:
        yield f"dated {version['dated']} ({version['dated_by']})"
    if version["source"] != history["source"]:  # the file was moved to another share since
        yield f"as {version['source']}/{version['path']}"
    elif version["path"] != history["path"]:
        yield f"as {version['path']}"
    if not version["kept"]:
        yield version["error"] or "text not on record"


def _removed(kept_since: str) -> str:
    return f"The history before {_minute(kept_since)} is no longer kept."


def _label(version: dict[str, Any]) -> str:
    dated = f", dated {version['dated']}" if version["dated"] else ""
    return f"{version['path']}, observed {_minute(version['observed'])}{dated}"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _page(quote: dict[str, Any]) -> str:
    return f" ({quote['label']})" if quote["label"] else ""
