# SPDX-License-Identifier: GPL-3.0-or-later
"""List the backups, and how old the proof of them is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import catalog, destination, instants
from ..configuration import Configuration
from ..manifest import Mark
from ..restic import Restic
from ..state import State


@dataclass(frozen=True)
class Listing:
    """The good backups, oldest first, and everything that is not one; instants are texts in UTC."""

    backups: tuple[Mark, ...]
    unfinished: tuple[str, ...]
    foreign: tuple[str, ...]
    missing: tuple[Mark, ...]
    problems: tuple[str, ...]
    last_good: str | None
    last_verified: str | None
    last_run: dict[str, Any]
    last_drill: dict[str, Any]
    copies: dict[str, dict[str, Any]]
    """What the last `copy` found at each copy, as it recorded it; empty before the first one."""

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        now = instants.now()
        for mark in self.backups:
            yield f"{mark.id}  {instants.ago(mark.made_at, now)}"
        yield f"{len(self.backups)} good backups"
        yield f"last confirmed: {_since(self.last_good, now)}"
        yield f"last verified: {_since(self.last_verified, now)}"
        yield f"last drill: {_drill(self.last_drill, now)}"
        if self.last_run and not self.last_run.get("ok"):
            yield f"last run failed at {self.last_run.get('at')}: {self.last_run.get('message')}"
        for name, record in self.copies.items():
            yield f"copy {name}: {_copy(record, now)}"
        for mark in self.missing:
            yield f"MISSING: {mark.id}: its snapshot was deleted, not by this program"
        for name in self.unfinished:
            yield f"unfinished: {name}"
        for name in self.foreign:
            yield f"foreign snapshot, left alone: {name}"
        yield from self.problems


def _since(text: str | None, now: datetime) -> str:
    return f"{text} ({instants.ago(instants.from_text(text), now)})" if text else "never"


def _drill(record: dict[str, Any], now: datetime) -> str:
    at = _since(record.get("at"), now)
    if record.get("ok") is False:
        return f"{at}, failed: {record.get('message')}"
    return f"{at}, recovery in {record['recovery_s']:.0f} s" if record.get("recovery_s") else at


def _copy(record: dict[str, Any], now: datetime) -> str:
    if not record:
        return "never made"
    made = f"{record.get('backups', 0)} backups, up to date {_since(record.get('last_ok'), now)}"
    if record.get("absent_since"):
        return f"{made}; not connected since {record['absent_since']}"
    return made if record.get("ok") else f"{made}; failed at {record.get('at')}: {record.get('message')}"


def list_backups(configuration: Configuration) -> Listing:
    """Return the backups of the repository; works on a full, read-only or locked share."""
    restic = Restic(configuration)
    destination.open_for_reading(configuration, restic)
    backups = catalog.read(configuration, restic)
    state = State(configuration.state)
    return Listing(
        backups=tuple(sorted(backups.good.values(), key=lambda mark: (mark.made_at, mark.id))),
        unfinished=backups.unfinished,
        foreign=tuple(f"{snapshot.id[:8]} of {snapshot.hostname}, {snapshot.time}" for snapshot in backups.foreign),
        missing=tuple(backups.missing.values()),
        problems=backups.problems,
        last_good=state.read("last_good").get("confirmed_at"),
        last_verified=state.read("verified").get("at"),
        last_run=state.read("run"),
        last_drill=state.read("drill"),
        copies={name: State(configuration.of_copy(name).state).read("copy") for name in configuration.copies},
    )
