# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the services after a switch, and check them by what they contain and do, not by a short clock.

A database that replays its log, or an application that waits for a slow disk, may take many minutes: the time limit is
long, and a line of progress shows what is waited for. A service that ends again and again is a failure at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ..context import Context
from ..deadline import Deadline
from ..errors import BackupError, VerificationError
from . import database

LIMIT_S = 1800.0
"""Seconds for all services to be healthy."""

CRASHES = 5
"""Ends of a service after which it does not count as slow."""

_START_S = 300.0
_PROGRESS_S = 15.0
_PAUSE_S = 1.0


def start(context: Context, services: Sequence[str], rows: Mapping[str, int] | None) -> None:
    """Start services in their order, and wait until they are healthy.

    The database comes first: its rows are compared before the application can change them.

    Args:
        context: of the command.
        services: those that ran before; others stay stopped.
        rows: expected number of rows of each table, None to compare none.

    Raises:
        VerificationError: the database has other rows.
        BackupError: a service cannot be started, ends again and again, or is not healthy within LIMIT_S seconds.
    """
    deadline = Deadline(LIMIT_S)
    store = str(context.contract.database.get("service"))
    if store in services:
        context.services.start([store], deadline_s=_START_S)
        _wait(context, store, deadline)
        if rows is not None:
            _compare(context, rows)
    others = [service for service in services if service != store]
    context.services.start(others, deadline_s=_START_S)
    for service in others:
        _wait(context, service, deadline)


def _wait(context: Context, service: str, deadline: Deadline) -> None:
    """Wait until a service is healthy."""
    first = context.services.health(service)
    shown = time.monotonic()
    health = first
    while not health.healthy:
        if health.restarts - first.restarts >= CRASHES:
            raise BackupError(
                service,
                found=f"{health.restarts - first.restarts} ends in succession ({health.detail})",
                expected="a service that runs on the restored data",
                next_step=f"See docker logs of the service {service}",
            )
        deadline.remaining_s(f"start of {service}")
        if time.monotonic() - shown >= _PROGRESS_S:
            shown = time.monotonic()
            context.progress(f"waiting for {service}: {health.detail}")
        time.sleep(_PAUSE_S)
        health = context.services.health(service)


def _compare(context: Context, rows: Mapping[str, int]) -> None:
    """Compare the number of rows of each table."""
    counts = database.rows(context.services, context.contract.database)
    if counts != rows:
        differing = sorted(name for name in {*counts, *rows} if counts.get(name) != rows.get(name))
        raise VerificationError(
            "restored database",
            found=", ".join(f"{name} with {counts.get(name, 'no')} rows" for name in differing),
            expected=", ".join(f"{rows.get(name, 'no')}" for name in differing),
        )
