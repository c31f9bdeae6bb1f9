# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the state of the backups: ages, what is kept, and what needs attention. The share is not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import instants
from ..configuration import Configuration
from ..state import State
from ..watching import condition

ATTENTION = 4
"""Exit code if something needs attention."""


@dataclass(frozen=True)
class Status:
    """The state for other programs, and the message of the last run that failed."""

    status: Mapping[str, Any]
    attention: bool
    last_error: str | None

    @property
    def code(self) -> int:
        """Return 4 if something needs attention."""
        return ATTENTION if self.attention else 0

    def lines(self) -> Iterable[str]:
        """Return the state as lines for a person."""
        status = self.status
        yield f"last good backup: {_ago(status['last_good'], 'confirmed_at')}"
        yield f"last run: {_ago(status['last_run'], 'at')}{_outcome(status['last_run'])}"
        yield f"last part of the repository read back: {_ago(status['read_back'], 'at')}{_outcome(status['read_back'])}"
        yield f"last verification: {_ago(status['verified'], 'at')}{_outcome(status['verified'])}"
        yield f"last drill: {_ago(status['drill'], 'at')}{_outcome(status['drill'])}"
        yield f"last check of the recovery sheet: {_ago(status['sheet'], 'checked_at')}"
        if kept := status["kept"]:
            yield f"kept: {kept['count']} backups, the oldest of {kept['oldest'] or 'no date'}"
        if space := status["space"]:
            yield f"share: {space['free_mib']} of {space['total_mib']} MiB free"
        for problem in status["problems"]:
            yield f"{'ATTENTION' if problem['urgent'] else 'reminder'}: {problem['message']} {problem['next_step']}."
        if self.last_error:
            yield f"the last run failed: {self.last_error}"


def status(configuration: Configuration) -> Status:
    """Return the state of the backups from what was recorded on the desktop."""
    document = condition.document(configuration, instants.now())
    run = State(configuration.state).read("run")
    attention = any(problem["urgent"] for problem in document["problems"])
    return Status(document, attention, None if run.get("ok", True) else run.get("message"))


def _ago(fact: Mapping[str, Any] | None, key: str) -> str:
    if not fact or not fact[key]:
        return "never"
    return f"{fact[key]} ({instants.ago(instants.from_text(fact[key]), instants.now())})"


def _outcome(fact: Mapping[str, Any] | None) -> str:
    return "" if fact is None or fact["ok"] else ", FAILED"
