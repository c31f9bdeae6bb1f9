# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a restore, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import instants


@dataclass(frozen=True)
class Table:
    """Rows of a table in the backup and now; None: the table is absent."""

    saved: int | None
    present: int | None


@dataclass(frozen=True)
class Restored:
    """The outcome of a restore.

    Attributes:
        id: the backup; in a rollback the time of the switch that is taken back.
        made_at: when the backup was made; the time of that switch.
        tables: the rows of each table; empty unless the database is restored and runs.
        newer: ids of the backups that were made later.
        bytes: size of the restored parts.
        services: those that were started again.
        kept: folders with the data until now, and `kept_until` when they are removed.
        recovered: what was done about an earlier restore that was interrupted.
        issuer: whether the issuer of the page's certificates changes. The role `stack` writes what depends on it.
        left_out: why the issuer of the backup is not restored, if it is another one that cannot be used.
    """

    id: str
    made_at: datetime
    components: tuple[str, ...]
    changed: bool
    preview: bool = False
    tables: Mapping[str, Table] | None = None
    newer: tuple[str, ...] = ()
    bytes: int = 0
    services: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()
    kept_until: datetime | None = None
    recovered: str = ""
    issuer: bool = False
    left_out: str = ""

    @property
    def code(self) -> int:
        """Return 3 if a preview shows that something would change."""
        return 3 if self.preview and self.changed else 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        if self.recovered:
            yield self.recovered
        if self.left_out:
            yield f"the issuer of the page's certificates is not restored: {self.left_out}"
        if not self.changed:
            yield f"nothing was changed: {' and '.join(self.components)} equal {self.id}"
            return
        verb = "would restore" if self.preview else "restored"
        yield f"{verb} {', '.join(self.components)} of {instants.to_text(self.made_at)} ({self.id}, {self.bytes} bytes)"
        yield from self._changes()
        if self.newer:
            yield f"newer backups: {len(self.newer)}, the newest {self.newer[-1]}"
        if self.services:
            yield f"running again: {', '.join(self.services)}"
        if self.kept_until:
            yield f"restore --rollback returns to the data until now before {instants.to_text(self.kept_until)}"

    def _changes(self) -> Iterable[str]:
        for name, rows in (self.tables or {}).items():
            if rows.saved != rows.present:
                yield f"  {name}: {_number(rows.saved)} rows, until now {_number(rows.present)}"
        if self.issuer:
            yield "  the key and the certificate that sign the page's certificates"
        if self.preview and self.tables:
            yield f"what was added or changed after {instants.to_text(self.made_at)} would be lost"


def _number(rows: int | None) -> str:
    return "no" if rows is None else str(rows)
