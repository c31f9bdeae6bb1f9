# SPDX-License-Identifier: GPL-3.0-or-later
"""`nas snapshots` and `nas clone`: the snapshots of the shares, and a new share from one of them.

The desktop cannot reach the snapshots of the NAS, so they are the way back after someone else was root on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tars_provision import next_step
from tars_provision.commands.outcome import line, waiting
from tars_provision.controller import setup
from tars_provision.errors import ProvisionError, message
from tars_provision.nas_facts import run
from tars_provision.nas_facts.bridge import Client, DsmError, connected
from tars_provision.nas_facts.bridge import snapshots as on_nas
from tars_provision.project import SPEC


@dataclass(frozen=True)
class Snapshots:
    """The snapshots by share, oldest first."""

    shares: Mapping[str, list[dict[str, Any]]]

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the snapshots as plain data."""
        return {"shares": dict(self.shares)}

    def show(self, console: Console) -> None:
        """Print each share with its snapshots."""
        for share, taken in self.shares.items():
            line(console, f"{share}: {len(taken) or 'no'} snapshots")
            for snapshot in taken:
                notes = [snapshot["description"], "locked" if snapshot["locked"] else ""]
                line(console, f"  {snapshot['name']}  {', '.join(filter(None, notes))}".rstrip())


@dataclass(frozen=True)
class Cloned:
    """A share that was created from a snapshot."""

    share: str
    snapshot: str
    new: str
    inventory: Path
    of_backups: bool

    exit_code = 0

    def as_data(self) -> dict[str, Any]:
        """Return the share as plain data."""
        return {"share": self.new, "of": self.share, "snapshot": self.snapshot}

    def show(self, console: Console) -> None:
        """Print what to do with the share."""
        line(console, f"{self.new}: created, with what {self.share} contained at {self.snapshot}")
        if self.of_backups:
            site = next_step.command("site", "-i", self.inventory)
            line(
                console, f"To restore from it, write `share: {self.new}` in section backup of {SPEC}, then run {site}."
            )


def listed(inventory: Path, share: str | None, console: Console) -> Snapshots:
    """Return the snapshots of a share, or of all shares of the spec. Raises ProvisionError."""
    site = setup.ready(inventory)
    known = [*site.shares, *([site.backup.share] if site.backup else [])]
    names = [share] if share else [*dict.fromkeys(known)]
    with _client(inventory, console) as client:
        return Snapshots({name: on_nas.taken(client, name) for name in names})


def clone(inventory: Path, share: str, snapshot: str, new: str, console: Console) -> Cloned:
    """Create the share `new` from a snapshot of a share; the share itself stays as it is. Raises ProvisionError."""
    site = setup.ready(inventory)
    with _client(inventory, console) as client:
        names = [taken["name"] for taken in on_nas.taken(client, share)]
        if snapshot not in names:
            step = f"{next_step.command('nas', 'snapshots', share, '-i', inventory)} lists them"
            subject, actual = f"share {share}: snapshot {snapshot}", f"{len(names)} snapshots with other names"
            raise ProvisionError(message(subject, found=actual, expected="one of its snapshots", next_step=step))
        on_nas.clone(client, share, snapshot, new)
    return Cloned(share, snapshot, new, inventory, bool(site.backup and site.backup.share == share))


@contextmanager
def _client(inventory: Path, console: Console) -> Iterator[Client]:
    """Yield a client that is logged in to the NAS of a site. Raises ProvisionError."""
    site = setup.ready(inventory)
    try:
        with waiting(console, f"waiting for {site.nas}"), connected(**run.login(site, inventory)) as client:
            yield client
    except DsmError as error:
        raise ProvisionError(str(error)) from error
