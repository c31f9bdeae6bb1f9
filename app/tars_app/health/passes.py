# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of the worker's passes over the shares and stores, from which /ready reports the worker's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.kit.text import storable


@dataclass(frozen=True)
class PassRecord:
    """The worker's current pass and the outcome of the last one that finished.

    `idle_s` are the seconds since the worker last finished a pass or made progress in one; `unfinished` counts passes
    in succession that began and did not finish.
    """

    ever_finished: bool
    idle_s: float
    unfinished: int
    problem: str | None


def start_pass(pool: Pool) -> None:
    """Record that a pass begins."""
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO volatile.passes (started_at, progress_at) VALUES (now(), now())
               ON CONFLICT (id) DO UPDATE SET started_at = now(), progress_at = now(), unfinished = CASE
                   WHEN passes.finished_at >= passes.started_at THEN 0 ELSE passes.unfinished + 1 END"""
        )


def note_progress(pool: Pool) -> None:
    """Record that the current pass moves."""
    with pool.connection() as connection:
        connection.execute("UPDATE volatile.passes SET progress_at = now()")


def finish_pass(pool: Pool, problem: str | None) -> None:
    """Record that the pass has ended, and what failed in it for no known reason."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE volatile.passes SET finished_at = now(), unfinished = 0, problem = %s",
            (problem and storable(problem),),
        )


def last_pass(connection: Connection[dict[str, Any]]) -> PassRecord | None:
    """Return the record, None where the worker has not begun a pass yet."""
    row = connection.execute(
        """SELECT finished_at IS NOT NULL AS ever_finished, unfinished, problem,
                  extract(epoch FROM now() - greatest(progress_at, finished_at))::float AS idle_s
           FROM volatile.passes"""
    ).fetchone()
    return PassRecord(**row) if row else None
