# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of the worker's rounds, by which /ready tells whether the worker does its part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from tars_app.adapters.postgres import Pool
from tars_app.kit.text import storable


@dataclass(frozen=True)
class RoundRecord:
    """The worker's current round and the outcome of the last one that finished.

    `idle_s` are the seconds since the worker last finished a round or made progress in one; `unfinished` counts rounds
    in succession that began and did not finish.
    """

    ever_finished: bool
    idle_s: float
    unfinished: int
    problem: str | None


def start_round(pool: Pool) -> None:
    """Record that a round begins."""
    with pool.connection() as connection:
        connection.execute(
            """INSERT INTO rounds (started_at, progress_at) VALUES (now(), now())
               ON CONFLICT (id) DO UPDATE SET started_at = now(), progress_at = now(), unfinished = CASE
                   WHEN rounds.finished_at >= rounds.started_at THEN 0 ELSE rounds.unfinished + 1 END"""
        )


def note_progress(pool: Pool) -> None:
    """Record that the current round moves."""
    with pool.connection() as connection:
        connection.execute("UPDATE rounds SET progress_at = now()")


def finish_round(pool: Pool, problem: str | None) -> None:
    """Record that the round has ended, and what failed in it for no known reason."""
    with pool.connection() as connection:
        connection.execute(
            "UPDATE rounds SET finished_at = now(), unfinished = 0, problem = %s", (problem and storable(problem),)
        )


def last_round(connection: Connection[dict[str, Any]]) -> RoundRecord | None:
    """Return the record, None where the worker has not begun a round yet."""
    row = connection.execute(
        """SELECT finished_at IS NOT NULL AS ever_finished, unfinished, problem,
                  extract(epoch FROM now() - greatest(progress_at, finished_at))::float AS idle_s FROM rounds"""
    ).fetchone()
    return RoundRecord(**row) if row else None
