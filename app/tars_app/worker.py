# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: it runs the maintenance passes, reads the documents in the queue, and recognises scanned pages."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries, TimeLimit, default_middleware
from sqlalchemy.exc import OperationalError

from tars_app.adapters.postgres import migrate
from tars_app.adapters.redis import take_added
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents.ingest import ingest
from tars_app.documents.recognition import Recognition
from tars_app.maintenance import FILL_INTERVAL_S, MaintenanceLoop
from tars_app.settings import Settings
from tars_app.snapshots.ingest import ingest_earlier, read_scanned

log = logging.getLogger(__name__)

INGEST_LIMIT_MS = 2 * 3600 * 1000
"""No document takes longer to read; the message of one that does is repeated."""
WAIT_FOR_DATABASE_S = 3.0
STOP_WITHIN_MS = 20_000
PAGE_WITHIN_S = 5.0
"""Within these, documents that are being read, and the page that is being recognised, may still be finished."""

DOCUMENTS, SLOW, EARLIER = "documents", "slow", "earlier"
"""Names of the queues."""
AFTER_DOCUMENTS, AFTER_SLOW = 50, 100
"""Priorities of formats that take long, and of versions of the past; documents have 0, and the lower one precedes."""

Send = Callable[[UUID], None]


@dataclass(frozen=True)
class Queue:
    """The queues on Redis, and the functions that put a version of the shares, and one of the past, in them."""

    broker: RedisBroker
    send: Send
    send_slow: Send
    send_earlier: Send


def make_queue(dependencies: Dependencies) -> Queue:
    """Return the queues on Redis with their jobs. A thread that is free reads a version of the past last.

    Documents of formats that take long are in a queue of their own, so that no other waits behind several of them.
    """
    middleware = [part() for part in default_middleware if part not in (Retries, TimeLimit)]
    limit = TimeLimit(time_limit=INGEST_LIMIT_MS)
    retries = Retries(max_retries=6, min_backoff=2000, max_backoff=120_000)
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq annotates only part of itself
        client=dependencies.redis, middleware=[*middleware, limit, retries]
    )

    def read_version(version_id: str) -> None:
        ingest(dependencies, UUID(version_id))

    def read_slow_version(version_id: str) -> None:
        ingest(dependencies, UUID(version_id))

    def read_earlier_version(version_id: str) -> None:
        ingest_earlier(dependencies, UUID(version_id))

    actor = dramatiq.actor(broker=broker, queue_name=DOCUMENTS)(read_version)
    slow = dramatiq.actor(broker=broker, queue_name=SLOW, priority=AFTER_DOCUMENTS)(read_slow_version)
    earlier = dramatiq.actor(broker=broker, queue_name=EARLIER, priority=AFTER_SLOW)(read_earlier_version)

    def send(version_id: UUID) -> None:
        actor.send(str(version_id))

    def send_slow(version_id: UUID) -> None:
        slow.send(str(version_id))

    def send_earlier(version_id: UUID) -> None:
        earlier.send(str(version_id))

    return Queue(broker, send, send_slow, send_earlier)


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; a document that is being read then is read again by the next worker."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dependencies = make_dependencies(settings)
    if not _migrated(settings, stop):
        return
    dependencies.pool.open(wait=False)
    queue = make_queue(dependencies)
    worker = dramatiq.Worker(queue.broker, worker_threads=settings.worker_threads)
    worker.start()
    # A daemon: the worker does not wait for a page that takes long, which is recognised again by the next worker.
    recognition = threading.Thread(target=Recognition(dependencies, read_scanned).run, args=(stop,), daemon=True)
    recognition.start()
    log.info("Worker started", extra={"fields": {"scan_interval_s": settings.scan_interval_s}})
    maintenance = MaintenanceLoop(dependencies, queue.send, queue.send_slow, queue.send_earlier)
    try:
        while not stop.is_set():
            more = maintenance.run_pass()
            next_pass = time.monotonic() + (0 if more else settings.scan_interval_s)
            while (left_s := next_pass - time.monotonic()) > 0 and not stop.wait(min(left_s, FILL_INTERVAL_S)):
                maintenance.fill_queue()
                if take_added(dependencies.redis):
                    break
    finally:
        stop.set()
        worker.stop(timeout=STOP_WITHIN_MS)
        recognition.join(PAGE_WITHIN_S)
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
