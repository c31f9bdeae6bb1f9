# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of tars-backup as far as it is used (docs/reference/backup.md), and what is shown of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class Run(BaseModel):
    """The last run."""

    at: datetime
    ok: bool


class LastGood(BaseModel):
    """The newest backup, and when a run last confirmed it."""

    confirmed_at: datetime


class Proof(BaseModel):
    """The last verification, reading or drill."""

    at: datetime
    ok: bool


class Sheet(BaseModel):
    """The last check of the recovery sheet."""

    checked_at: datetime


class Kept(BaseModel):
    """The backups that are kept, when each was made, and how many someone else has deleted."""

    count: int
    oldest: datetime | None
    made: list[datetime] | None = None
    missing: int


class Copy(BaseModel):
    """A second place of the backups."""

    last_ok: datetime | None


class Space(BaseModel):
    """Disk space of the share at the last run."""

    free_mib: int
    total_mib: int


class Problem(BaseModel):
    """What needs attention; one that is not urgent is a reminder."""

    kind: str
    message: str
    next_step: str
    urgent: bool


class Status(BaseModel):
    """The content of status.json, schema 1."""

    schema_: Literal[1]
    written_at: datetime
    zone: str
    last_run: Run | None
    last_good: LastGood | None
    verified: Proof | None
    read_back: Proof | None
    drill: Proof | None
    sheet: Sheet | None
    copies: dict[str, Copy | None]
    kept: Kept | None
    retention: dict[str, int] | None = None
    space: Space | None
    problems: list[Problem]

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Backups(BaseModel):
    """What the page shows. `state`: none if there are no backups, unknown if their file is missing or old.

    `proven` is when a drill or a verification last succeeded. Times are null for what never happened or is not known.
    """

    state: Literal["none", "unknown", "known"]
    zone: str | None = None
    saved: datetime | None = None
    proven: datetime | None = None
    oldest: datetime | None = None
    kept: int = 0
    problems: list[Problem] = []
