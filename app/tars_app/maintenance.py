# SPDX-License-Identifier: GPL-3.0-or-later
"""The passes of the worker: follow the shares, queue what is new, make Chroma follow, and import snapshots."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import redis

from tars_app.adapters.chroma import LEAST_RECALL, VectorStoreError
from tars_app.adapters.postgres import RECONCILE_LOCK, try_lock
from tars_app.dependencies import Dependencies
from tars_app.documents.dates import date_versions
from tars_app.documents.follow import answer_with_new_vectors, compare, embed_missing, follow_changes, in_line
from tars_app.documents.languages import detect_languages
from tars_app.documents.recall import check_recall
from tars_app.documents.reconcile import queue_waiting, reconcile
from tars_app.documents.repository import forget_queued
from tars_app.forgetting.erase import erase_forgotten
from tars_app.forgetting.retention import remove_old_versions
from tars_app.health import passes
from tars_app.kit.errors import UnavailableError, summarize
from tars_app.snapshots.service import import_snapshots, queue_earlier

log = logging.getLogger(__name__)

COMPARISON_INTERVAL_S = 3600.0
FILL_INTERVAL_S = 1.0
"""How often documents are put into the queue, which holds few of them."""
PROGRESS_INTERVAL_S = 30.0
MOST_FAILURES_OF_CHROMA = 3
"""Passes in succession in which Chroma answered before it failed. Its index on disk may be damaged."""


class MaintenanceLoop:
    """The work that is repeated. A step that fails is logged and repeated in the next pass; the others are done."""

    def __init__(
        self,
        dependencies: Dependencies,
        send: Callable[[UUID], None],
        send_slow: Callable[[UUID], None],
        send_earlier: Callable[[UUID], None],
    ) -> None:
        self._dependencies = dependencies
        self._send = send
        self._send_slow = send_slow
        self._send_earlier = send_earlier
        self._next_filling = 0.0
        self._unfinished: dict[str, datetime] = {}
        self._next_comparison = 0.0
        self._next_progress = 0.0
        self._took_over = False
        self._failures_of_chroma = 0
        self._rebuilt = False
        self._undated = True
        self._undetected = True
        self._problems: list[str] = []

    def run_pass(self) -> bool:
        """Do one pass, unless another worker is doing one; return whether the next one has to follow at once.

        Raises nothing.
        """
        try:
            self._touch_heartbeat()
            with try_lock(self._dependencies.pool, RECONCILE_LOCK) as held:
                if held:
                    self._run_steps()
        except UnavailableError as error:
            log.error("Pass failed", extra={"fields": {"reason": str(error), "next_step": error.next_step}})
        except Exception:
            log.exception("Pass failed")
        return bool(self._unfinished)

    def fill_queue(self) -> None:
        """Put documents that wait into the queue between two passes, unless another worker does. Raises nothing."""
        try:
            with try_lock(self._dependencies.pool, RECONCILE_LOCK) as held:
                if held:
                    self._fill_queue()
        except Exception as error:  # noqa: BLE001  the next pass reports it
            log.debug("The queue is filled later", extra={"fields": {"reason": summarize(error)}})

    def _run_steps(self) -> None:
        pool, settings = self._dependencies.pool, self._dependencies.settings
        self._problems = []
        passes.start_pass(pool)
        self._took_over = self._took_over or self._step("taking over the queue", lambda: forget_queued(pool))
        self._step("reading the shares", lambda: reconcile(pool, settings, self._progress, self._unfinished))
        self._undated = self._undated and not self._step("dating versions", lambda: date_versions(pool))
        self._undetected = self._undetected and not self._step(
            "detecting languages", lambda: detect_languages(pool, self._progress)
        )
        self._step("queueing documents", self._queue_waiting)
        years = settings.versions_years
        self._step("removing old versions", lambda: remove_old_versions(pool, years, self._progress))
        if self._step("updating Chroma", self._follow):
            self._step("erasing forgotten documents", lambda: erase_forgotten(pool, self._progress))
        self._step("importing snapshots", lambda: import_snapshots(pool, settings, self._progress))
        self._step("queueing versions of the past", lambda: queue_earlier(pool, self._send_earlier))
        passes.finish_pass(pool, "; ".join(self._problems) or None)

    def _follow(self) -> None:
        """Make Chroma follow. A collection at which it fails again and again, while it answers else, is replaced."""
        alive = self._dependencies.vectors.is_alive()
        if alive and self._failures_of_chroma >= MOST_FAILURES_OF_CHROMA:
            log.warning("The collection in Chroma is damaged: it is created again and filled")
            self._dependencies.vectors.clear()
            self._failures_of_chroma = 0
        try:
            self._compare_stores()
            self._failures_of_chroma = 0
        except VectorStoreError:
            self._failures_of_chroma += alive
            self._next_comparison = 0.0  # it may come back with another folder
            raise

    def _compare_stores(self) -> None:
        """Write what has changed to Chroma, and compare both stores where the counts differ, and every hour."""
        follow_changes(self._dependencies)
        due = time.monotonic() >= self._next_comparison
        if not in_line(self._dependencies) or due:
            compare(self._dependencies, self._progress)
            in_line(self._dependencies)
        if due:
            # A collection is created again once: where that does not help, it would not help the next time.
            recall = check_recall(self._dependencies, self._progress, rebuild=not self._rebuilt)
            self._rebuilt = recall < LEAST_RECALL
        if due and embed_missing(self._dependencies, self._progress):
            answer_with_new_vectors(self._dependencies)
            self._next_comparison = time.monotonic() + COMPARISON_INTERVAL_S

    def _step(self, name: str, step: Callable[[], object]) -> bool:
        """Do one step; return whether it succeeded.

        What a dependency causes is reported by that dependency's own check. Any other failure is a problem of the
        pass.
        """
        fields = {"step": name}
        try:
            step()
            return True
        except UnavailableError as error:
            log.error("Step failed", extra={"fields": {**fields, "reason": str(error), "next_step": error.next_step}})
        except redis.RedisError as error:
            reason = f"The queue does not answer: {error}"
            next_step = "Check that the redis container is running."
            log.error("Step failed", extra={"fields": {**fields, "reason": reason, "next_step": next_step}})
        except Exception as error:
            log.exception("Step failed", extra={"fields": fields})
            self._problems.append(f"{name}: {summarize(error)}")
        return False

    def _queue_waiting(self) -> None:
        queue_waiting(self._dependencies.pool, self._send, self._send_slow)

    def _fill_queue(self) -> None:
        """Put documents that wait into the queue. If it fails, the step of the pass reports it."""
        if not self._took_over:
            return
        try:
            self._queue_waiting()
        except (UnavailableError, redis.RedisError) as error:
            log.debug("The queue is filled later", extra={"fields": {"reason": summarize(error)}})

    def _progress(self) -> None:
        """Show that the pass moves, and keep the queue filled meanwhile; called after each file and each folder."""
        now = time.monotonic()
        if now < self._next_filling:
            return
        self._next_filling = now + FILL_INTERVAL_S
        self._touch_heartbeat()
        self._fill_queue()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_INTERVAL_S
            passes.note_progress(self._dependencies.pool)

    def _touch_heartbeat(self) -> None:
        """Tell the health check of the container that the worker makes progress."""
        try:
            self._dependencies.settings.heartbeat.touch()
        except OSError:
            log.exception("The heartbeat file cannot be written")
