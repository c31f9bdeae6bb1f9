# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill measured and compared, in the form of its JSON report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import instants
from .questions import Asked

SCHEMA = 1


@dataclass(frozen=True)
class Step:
    """A step of the recovery, and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Check:
    """A comparison of the restored services with the backup."""

    name: str
    ok: bool
    found: str
    expected: str


@dataclass
class Outcome:
    """The result of a drill; it is filled while the drill runs, so that one that fails has a report too.

    Attributes:
        at: when it began.
        source: where the backup was read: `NAS`, or the name of a copy.
        note: why another source was due and was not used; empty otherwise.
        backup: id of the backup, empty if none could be chosen, and `made_at` when it was made.
        age_s: seconds between the last moment at which the backup was known to equal the living data, and `at`.
        recovery_s: seconds until the restored services had answered.
        message: why the drill failed; empty if it passed.
    """

    at: datetime
    source: str
    note: str = ""
    backup: str = ""
    made_at: datetime | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    age_s: float | None = None
    recovery_s: float | None = None
    message: str = ""
    steps: list[Step] = dataclasses.field(default_factory=list)
    checks: list[Check] = dataclasses.field(default_factory=list)
    questions: list[Asked] = dataclasses.field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether the drill passed."""
        return not self.message

    def problems(self) -> list[str]:
        """Return the comparisons and questions that failed, a sentence each."""
        failed = [f"{check.name}: {check.found}, not {check.expected}" for check in self.checks if not check.ok]
        return failed + [f"question {asked.question!r}: {asked.problem}" for asked in self.questions if asked.problem]

    def document(self) -> dict[str, Any]:
        """Return the JSON report."""
        document = {"schema": SCHEMA, "ok": self.ok, **dataclasses.asdict(self), "at": instants.to_text(self.at)}
        document["made_at"] = instants.to_text(self.made_at) if self.made_at else None
        return document
