# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: it runs the maintenance passes, and reads the documents in the queue."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries, TimeLimit, default_middleware
from sqlalchemy.exc import OperationalError

from tars_app.adapters.postgres import migrate
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents.ingest import ingest
from tars_app.maintenance import MaintenanceLoop
from tars_app.settings import Settings

log = logging.getLogger(__name__)

INGEST_LIMIT_MS = 2 * 3600 * 1000
"""No document takes longer to read; the message of one that does is repeated."""
WAIT_FOR_DATABASE_S = 3.0
STOP_WITHIN_MS = 20_000

Send = Callable[[UUID], None]


def make_queue(dependencies: Dependencies) -> tuple[RedisBroker, Send]:
    """Return the queue on Redis with its one job, and the function that puts a version in it."""
    middleware = [part() for part in default_middleware if part not in (Retries, TimeLimit)]
    limit = TimeLimit(time_limit=INGEST_LIMIT_MS)
    retries = Retries(max_retries=6, min_backoff=2000, max_backoff=120_000)
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq annotates only part of itself
        client=dependencies.redis, middleware=[*middleware, limit, retries]
    )

    def read_version(version_id: str) -> None:
        ingest(dependencies, UUID(version_id))

    actor = dramatiq.actor(broker=broker, queue_name="documents")(read_version)

    def send(version_id: UUID) -> None:
        actor.send(str(version_id))

    return broker, send


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; a document that is being read then is read again by the next worker."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dependencies = make_dependencies(settings)
    if not _migrated(settings, stop):
        return
    dependencies.pool.open(wait=False)
    broker, send = make_queue(dependencies)
    worker = dramatiq.Worker(broker, worker_threads=settings.worker_threads)
    worker.start()
    log.info("Worker started", extra={"fields": {"scan_interval_s": settings.scan_interval_s}})
    maintenance = MaintenanceLoop(dependencies, send)
    try:
        while not stop.is_set():
            maintenance.run_pass()
            stop.wait(settings.scan_interval_s)
    finally:
        worker.stop(timeout=STOP_WITHIN_MS)
        dependencies.pool.close()
        log.info("Worker stopped")


def _migrated(settings: Settings, stop: threading.Event) -> bool:
    while not stop.is_set():
        settings.heartbeat.touch()
        try:
            migrate(settings)
            return True
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__
            log.warning("The database does not answer yet", extra={"fields": {"reason": reason}})
        stop.wait(WAIT_FOR_DATABASE_S)
    return False
