# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: it looks at the shares in rounds, and reads what the queue hands it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from uuid import UUID

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries, TimeLimit, default_middleware
from sqlalchemy.exc import OperationalError

from tars_app.adapters.postgres import DATABASE_AWAY, RECONCILE_LOCK, database_away, migrate, try_lock
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents.ingest import ingest
from tars_app.documents.reconcile import reconcile, wake_pending
from tars_app.documents.repository import forget_queued
from tars_app.documents.sweep import remove_unclaimed, sweep
from tars_app.kit.errors import Unavailable
from tars_app.settings import Settings

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 3600.0
INGEST_LIMIT_MS = 2 * 3600 * 1000
"""Less than documents.index.LONGEST_INGEST, so that vectors are never removed while they are being written."""
WAIT_FOR_DATABASE_S = 3.0
STOP_WITHIN_MS = 20_000

Send = Callable[[UUID], None]


def make_queue(dependencies: Dependencies) -> tuple[RedisBroker, Send]:
    """The queue on Redis with its one job, and the function that puts a version in it."""
    middleware = [part() for part in default_middleware if part not in (Retries, TimeLimit)]
    limit = TimeLimit(time_limit=INGEST_LIMIT_MS)
    retries = Retries(max_retries=6, min_backoff=2000, max_backoff=120_000)
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq annotates only part of itself
        client=dependencies.redis, middleware=[*middleware, limit, retries]
    )

    def read_version(version_id: str) -> None:
        try:
            ingest(dependencies, UUID(version_id))
        except Unavailable as error:
            _will_retry(version_id, error)
            raise
        except DATABASE_AWAY as error:
            _will_retry(version_id, database_away(error))
            raise
        except Exception:  # told with the version it belongs to, then left to the broker
            log.exception("Reading a document failed", extra={"fields": {"version": version_id}})
            raise

    actor = dramatiq.actor(broker=broker, queue_name="documents")(read_version)

    def send(version_id: UUID) -> None:
        actor.send(str(version_id))

    return broker, send


def _will_retry(version_id: str, error: Unavailable) -> None:
    fields = {"version": version_id, "reason": str(error), "next_step": error.next_step}
    log.warning("A document is read later", extra={"fields": fields})


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is being read then is finished or tried again by the next worker."""
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
    rounds = MaintenanceLoop(dependencies, send)
    try:
        while not stop.is_set():
            rounds.next()
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


class MaintenanceLoop:
    """What is done again and again. A step that fails is logged and done in the next round."""

    def __init__(self, dependencies: Dependencies, send: Send) -> None:
        self._services = dependencies
        self._send = send
        self._sweep_at = 0.0
        self._begun = False

    def next(self) -> None:
        """One round, unless another worker is at it."""
        self.beat()
        pool = self._services.pool
        try:
            with try_lock(pool, RECONCILE_LOCK) as mine:
                if mine:
                    self._step("looking at the shares", lambda: reconcile(pool, self._services.settings, self.beat))
                    self._begun = self._begun or self._step("taking over", lambda: forget_queued(pool))
                    self._step("queueing", lambda: wake_pending(pool, self._send))
                    self._step("removing vectors", lambda: remove_unclaimed(self._services))
                    if time.monotonic() >= self._sweep_at and self._step(
                        "comparing the stores", lambda: sweep(self._services, self.beat)
                    ):
                        self._sweep_at = time.monotonic() + SWEEP_EVERY_S
        except DATABASE_AWAY as error:
            log.error("Round failed", extra={"fields": {"reason": str(database_away(error))}})

    def beat(self) -> None:
        """Tell the health check that the worker moves."""
        self._services.settings.heartbeat.touch()

    def _step(self, name: str, step: Callable[[], object]) -> bool:
        try:
            step()
            return True
        except Unavailable as error:
            reason = f"{error} {error.next_step}"
        except DATABASE_AWAY as error:
            reason = f"{database_away(error)} ({str(error).strip().splitlines()[0] if str(error).strip() else ''})"
        except redis.RedisError as error:
            reason = f"The queue does not answer: {error}. Check that the redis container is running."
        log.error("Step failed", extra={"fields": {"step": name, "reason": reason}})
        return False
