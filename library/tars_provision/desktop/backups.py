# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups, from the file that tars-backup writes on the desktop (docs/reference/backup.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tars_provision.desktop.services import age

MAX_AGE_S = 1800.0
"""The desktop writes the file every ten minutes, so an older one shows that it no longer does."""


@dataclass(frozen=True)
class BackupState:
    """Whether the backups need no attention, their ages in one line, and the next steps if they need some."""

    ok: bool
    summary: str
    steps: tuple[str, ...] = ()


def backup_state(answer: Mapping[str, Any], now: datetime | None = None) -> BackupState:
    """Return the state from the object that the program on the desktop printed: `document`, `age_s` and `problem`."""
    watch = "On the desktop, run `systemctl status tars-backup-watch.timer`"
    document = answer["document"]
    if document is None:
        return BackupState(False, f"not known: {answer['problem']}", (watch,))
    text = _summary(document, now or datetime.now(UTC))
    if abs(answer["age_s"]) > MAX_AGE_S:
        return BackupState(False, f"not known since {document['written_at']}; then: {text}", (watch,))
    urgent = [problem for problem in document["problems"] if problem["urgent"]]
    reminders = [problem["message"] for problem in document["problems"] if not problem["urgent"]]
    lines = [text, *(problem["message"] for problem in urgent), *reminders]
    return BackupState(not urgent, "\n".join(lines), tuple(problem["next_step"] for problem in urgent))


def _summary(document: Mapping[str, Any], now: datetime) -> str:
    proofs = [document[name]["at"] for name in ("drill", "verified") if document[name] and document[name]["ok"]]
    saved = document["last_good"] and document["last_good"]["confirmed_at"]
    parts = [f"saved {_ago(saved, now)}" if saved else "nothing saved yet"]
    if saved:
        parts.append(f"proven {_ago(max(proofs), now)}" if proofs else "not proven yet")
    if document["kept"]:
        parts.append(f"{document['kept']['count']} backups kept")
    return ", ".join(parts)


def _ago(text: str, now: datetime) -> str:
    return f"{age((now - datetime.fromisoformat(text)).total_seconds())} ago"
