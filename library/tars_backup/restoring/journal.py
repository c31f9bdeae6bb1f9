# SPDX-License-Identifier: GPL-3.0-or-later
"""What an interrupted restore leaves behind is finished, or undone, by the next command.

The record is on disk before the step that it describes. Phases: `preparing` (nothing of the services was touched),
`switching` (services are stopped and folders renamed), `checking` (all folders are in place, services are started).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..context import Context
from ..errors import BackupError
from ..state import State
from . import checks, switch

PREPARING, SWITCHING, CHECKING = "preparing", "switching", "checking"

STOP_S = 600.0
START_S = 300.0

_SUBJECT = "restore"


@dataclass(frozen=True)
class Journal:
    """A restore in progress.

    Attributes:
        backup: id of the backup, or the time of the switch that is rolled back.
        new: folders and files that are being built.
        moves: renames of the switch, in their order.
        running: services to start after the switch, in this order.
        rows: number of rows of each table of the new database; None if no database is restored.
    """

    phase: str
    backup: str
    new: tuple[str, ...]
    moves: tuple[tuple[str, str], ...] = ()
    running: tuple[str, ...] = ()
    rows: dict[str, int] | None = None

    @property
    def renames(self) -> list[tuple[Path, Path]]:
        """Return the moves as paths."""
        return [(Path(source), Path(target)) for source, target in self.moves]


def write(context: Context, journal: Journal | None) -> None:
    """Record a restore in progress; None: there is none."""
    State(context.configuration.state).write(_SUBJECT, asdict(journal) if journal else {})


def read(context: Context) -> Journal | None:
    """Return the restore that is in progress, or was when its process died."""
    document: dict[str, Any] = State(context.configuration.state).read(_SUBJECT)
    if not document:
        return None
    document["moves"] = tuple((source, target) for source, target in document["moves"])
    document["new"], document["running"] = tuple(document["new"]), tuple(document["running"])
    return Journal(**document)


def recover(context: Context) -> str:
    """Finish or undo the restore of a process that died; return what was done, nothing if there was none.

    Raises:
        BackupError: the services could not be started. The next command tries again.
    """
    journal = read(context)
    if journal is None:
        return ""
    context.progress(f"an earlier restore of {journal.backup} was interrupted while {journal.phase}")
    if journal.phase == CHECKING:
        try:
            finish(context, journal)
            return f"the interrupted restore of {journal.backup} is complete"
        except BackupError as error:
            context.progress(str(error))
    undo(context, journal)
    return f"the interrupted restore of {journal.backup} was undone"


def finish(context: Context, journal: Journal) -> None:
    """Start the services on the new folders, check them, and end the restore.

    Raises:
        BackupError: a check failed; `undo` returns to the old folders.
    """
    checks.start(context, journal.running, journal.rows)
    clean(context, journal)


def undo(context: Context, journal: Journal) -> None:
    """Return to the state before the restore: folders and running services.

    Raises:
        BackupError: a service cannot be stopped or started. The record stays.
    """
    if journal.phase != PREPARING:
        context.progress("returning to the data before the restore")
        context.services.stop(reversed(journal.running), deadline_s=STOP_S)
        switch.undo(journal.renames)
        context.services.start(journal.running, deadline_s=START_S)
    clean(context, journal)


def undo_after(context: Context, journal: Journal, error: BaseException) -> None:
    """Undo a restore that failed with an error.

    Raises:
        BackupError: that failed too; the message has both reasons.
    """
    try:
        undo(context, journal)
    except (BackupError, OSError) as second:
        raise BackupError(
            f"restore of {journal.backup}",
            found=f"{error}; then, on the way back: {second}",
            expected="the data and the services of before",
            next_step="Run tars-backup run when the cause is gone, which first returns to them",
        ) from error


def clean(context: Context, journal: Journal) -> None:
    """Remove what was built and is not in use, and the record."""
    for service in context.contract.services:
        context.services.remove_scratch(service)
    for path in (*map(Path, journal.new), context.configuration.work):
        if path.exists():
            switch.remove(path)
    write(context, None)
