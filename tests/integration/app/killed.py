# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's steps in a process of their own, which ends like a lost machine: by SIGKILL at a statement.

The process is forked from a server that has the program's modules loaded, so that each takes a fraction of a second.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.ingest import ingest
from tars_app.documents.reconcile import reconcile
from tars_app.forgetting import repository as forgetting
from tars_app.forgetting.erase import erase_forgotten
from tars_app.settings import Settings
from tars_app.snapshots import service
from tars_app.snapshots.ingest import ingest_earlier

from .past import WordEmbedder

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


def scan(dependencies: Dependencies) -> None:
    """Follow the shares, and read what is new."""
    reconcile(dependencies.pool, dependencies.settings, lambda: None)
    for version in repository.waiting(dependencies.pool):
        ingest(dependencies, version)


def import_all(dependencies: Dependencies) -> None:
    """Import the snapshots of the shares, and read their versions."""
    service.import_snapshots(dependencies.pool, dependencies.settings, lambda: None)
    queued: list[Any] = []
    service.queue_earlier(dependencies.pool, queued.append)
    for version in queued:
        ingest_earlier(dependencies, version)


def work(dependencies: Dependencies) -> None:
    """Do the steps of a worker that starts and does one pass."""
    repository.forget_queued(dependencies.pool)
    scan(dependencies)
    import_all(dependencies)


def forget_lease(dependencies: Dependencies) -> None:
    """Forget the lease, unless it is forgotten already, and erase what is left of it."""
    with dependencies.pool.connection() as connection:
        rows = connection.execute("SELECT id FROM documents WHERE path = 'lease.txt'").fetchall()
    for row in rows:
        forgetting.remove(dependencies.pool, row["id"])
    erase_forgotten(dependencies.pool, lambda: None)


class _Statements:
    """Counts statements, and kills the process before the one with a number, or after it."""

    def __init__(self, last: int | None, after: bool) -> None:
        self._last = last
        self._after = after
        self.count = 0

    @contextmanager
    def counted(self) -> Any:
        self.count += 1
        if self.count == self._last and not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        yield
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            with self.counted():
                return original(*arguments, **options)

        setattr(owner, name, call)


def _run(
    settings: dict[str, Any], steps: Callable[[Dependencies], None], last: int | None, after: bool, report: Any
) -> None:
    made = Settings(**settings)
    dependencies = replace(make_dependencies(made), embedder=WordEmbedder())  # type: ignore[arg-type]  # see its text
    statements = _Statements(last, after)
    with dependencies.pool:
        for name in ("execute", "executemany"):
            statements.watch(psycopg.Cursor, name)
        statements.watch(psycopg.Connection, "commit")
        steps(dependencies)
    report.send(statements.count)


def run(
    settings: Settings,
    last: int | None = None,
    after: bool = False,
    steps: Callable[[Dependencies], None] = work,
) -> int | None:
    """Do steps; return the number of statements and commits, None where the process was killed.

    It is killed before or `after` statement number `last`, counted from 1.
    """
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    values = settings.model_dump() | {
        "postgres_password": settings.postgres_password.get_secret_value(),
        "redis_password": settings.redis_password.get_secret_value(),
    }
    process = _PROCESSES.Process(target=_run, args=(values, steps, last, after, sender))
    process.start()
    sender.close()
    process.join(180)
    assert process.exitcode in (0, -signal.SIGKILL), f"it ended with {process.exitcode}"
    return int(receiver.recv()) if process.exitcode == 0 else None


def folder_of(settings: Settings) -> Path:
    """Return the folder of the one share."""
    return settings.documents[0] / "LLM_docs"
