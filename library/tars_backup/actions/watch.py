# SPDX-License-Identifier: GPL-3.0-or-later
"""Send alarms about the backups. A timer calls this, which depends neither on runs nor on the share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .. import instants, program_lock
from ..configuration import Configuration, Hook
from ..errors import BackupError
from ..state import State
from ..watching import alarms, condition, hooks, problems
from ..watching.hooks import Message

INTERVAL_S = 600.0
"""Seconds between two calls by the timer."""

LOCK = "watch.lock"


@dataclass(frozen=True)
class Watched:
    """The messages of the problems, and of each hook why it failed (empty if it works)."""

    problems: tuple[str, ...]
    hooks: Mapping[str, str]

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        yield from self.problems or ("nothing needs attention",)
        for name, reason in self.hooks.items():
            yield f"alarm by {name}: {reason or 'works'}"


def watch(configuration: Configuration, *, test: bool = False) -> Watched:
    """Send each hook what it does not know yet; with `test`, only a test message.

    Raises:
        LockedError: another process does the same.
        BackupError: with `test`, a message could not be delivered, or there is no hook.
    """
    with program_lock.held(configuration.state, "watch", LOCK):
        secrets = _secrets(configuration)

        def send(hook: Hook, message: Message) -> str:
            return hooks.send(hook, message, secrets.get(hook.kind, ""))

        if test:
            return _test(configuration, send)
        state = State(configuration.state)
        now = instants.now()
        _count_awake(state, now)
        current = problems.find(configuration, condition.facts_of(configuration), now)
        record = alarms.deliver(
            configuration.alarms.hooks, current, state.read("alarms"), configuration.host, now, send
        )
        state.write("alarms", record)
    return Watched(
        tuple(problem.message for problem in current), {name: entry.get("reason", "") for name, entry in record.items()}
    )


def _test(configuration: Configuration, send: alarms.Send) -> Watched:
    outcome = {hook.kind: send(hook, alarms.trial(configuration.host)) for hook in configuration.alarms.hooks}
    failed = "; ".join(f"{name}: {reason}" for name, reason in outcome.items() if reason)
    if failed or not outcome:
        raise BackupError(
            "alarms",
            found=failed or "no alarm",
            expected="a delivered test message for each of backup.alarms",
            next_step="Correct backup.alarms in tars.yml and its secrets in the vault, then run ./tars site",
        )
    return Watched((), outcome)


def _count_awake(state: State, now: datetime) -> None:
    """Count the seconds since the last good backup in which the desktop was on; while it is off, no run is late."""
    last = state.read("watch")
    confirmed = state.read("last_good").get("confirmed_at")
    passed_s = (now - instants.from_text(last["seen_at"])).total_seconds() if last.get("seen_at") else 0.0
    # A longer gap is one in which the desktop was off, or a clock that was set.
    counted_s = min(max(passed_s, 0.0), 1.5 * INTERVAL_S)
    same = last.get("confirmed_at") == confirmed
    state.write(
        "watch",
        {
            "seen_at": instants.to_text(now),
            "since": last.get("since") or instants.to_text(now),
            "confirmed_at": confirmed,
            "awake_s": last.get("awake_s", 0.0) + counted_s if same else 0.0,
        },
    )


def _secrets(configuration: Configuration) -> dict[str, str]:
    """Return the secrets of the hooks by kind; the file holds them so that no process list shows them."""
    path = configuration.alarm_secrets
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BackupError(path, found="another form", expected="a JSON object", next_step="Run ./tars site") from error
    return {str(kind): str(secret) for kind, secret in document.items()}
