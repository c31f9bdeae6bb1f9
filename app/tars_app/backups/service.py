# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the state of the backups. A file that is missing, damaged or old never counts as good."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from tars_app.backups.schemas import Backups, Problem, Status

MAX_AGE = timedelta(minutes=30)
"""The desktop writes the file every ten minutes, so an older one shows that it no longer does."""

_NEXT_STEP = "On the desktop, run systemctl status tars-backup-watch.timer"


def read(path: Path) -> Status | None:
    """Return the content of the file; None if it cannot be read or has another form."""
    try:
        return Status.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def backups(path: Path | None, now: datetime) -> Backups:
    """Return what the page shows of the file at `path`, None without backups."""
    if path is None:
        return Backups(state="none")
    status = read(path)
    if status is None:
        return Backups(state="unknown", problems=[_unknown("the desktop has written no state of them")])
    proofs = [proof.at for proof in (status.drill, status.verified) if proof and proof.ok]
    current = abs(now - status.written_at) <= MAX_AGE
    stale = [] if current else [_unknown("the desktop no longer writes their state")]
    return Backups(
        state="known" if current else "unknown",
        zone=status.zone,
        saved=status.last_good.confirmed_at if status.last_good else None,
        proven=max(proofs, default=None),
        oldest=status.kept.oldest if status.kept else None,
        kept=status.kept.count if status.kept else 0,
        problems=[*stale, *status.problems],
    )


def _unknown(reason: str) -> Problem:
    message = f"It is not known whether backups are made: {reason}."
    return Problem(kind="unknown", message=message, next_step=_NEXT_STEP, urgent=True)
