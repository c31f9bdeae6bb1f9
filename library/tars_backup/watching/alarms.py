# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell each hook about a problem once when it begins, and once when it has ended.

What a hook knows is recorded when it has accepted a message. So one that failed gets the same message at the next
attempt, and a problem that came and went meanwhile is never mentioned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import instants
from ..configuration import Hook
from .hooks import Message
from .problems import HOOK_PREFIX, Problem

Send = Callable[[Hook, Message], str]


def deliver(
    hooks: Sequence[Hook],
    problems: Sequence[Problem],
    record: Mapping[str, Mapping[str, Any]],
    host: str,
    now: datetime,
    send: Send,
) -> dict[str, dict[str, Any]]:
    """Send what each hook does not know yet; return the new record by hook.

    `record` has for each hook `known` (messages of the problems by kind), and `failed_since` and `reason` if its last
    message could not be delivered.
    """
    updated = {}
    for hook in hooks:
        last = record.get(hook.kind, {})
        known: Mapping[str, str] = last.get("known", {})
        # That a hook fails can be delivered by the others alone.
        current = {
            problem.kind: problem
            for problem in problems
            if problem.urgent and problem.kind != f"{HOOK_PREFIX}{hook.kind}"
        }
        begun = [problem for kind, problem in current.items() if kind not in known]
        ended = {kind: text for kind, text in known.items() if kind not in current}
        reason = send(hook, _message(host, begun, ended, left=len(current))) if begun or ended else ""
        if reason:
            since = last.get("failed_since") or instants.to_text(now)
            updated[hook.kind] = {"known": dict(known), "failed_since": since, "reason": reason}
        else:
            # A problem that came and went before this hook could be reached needs no message any more.
            updated[hook.kind] = {"known": {kind: problem.message for kind, problem in current.items()}}
    return updated


def trial(host: str) -> Message:
    """Return the message that shows that a hook works."""
    text = "This is a test. Alarms about the backups arrive here."
    return Message("test", f"Test of the alarms of {host}", text, {"host": host, "problems": [], "ended": []})


def _message(host: str, begun: Sequence[Problem], ended: Mapping[str, str], *, left: int) -> Message:
    lines = [f"{problem.message}\nNext step: {problem.next_step}." for problem in begun]
    lines += [f"Over: {text}" for text in ended.values()]
    subject = f"The backups of {host} {'need attention' if left else 'are in order again'}"
    detail = {
        "host": host,
        "problems": [{**vars(problem)} for problem in begun],
        "ended": sorted(ended),
    }
    return Message("problem" if left else "resolved", subject, "\n\n".join(lines), detail)
