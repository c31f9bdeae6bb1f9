# SPDX-License-Identifier: GPL-3.0-or-later
"""The passes of the worker: follow the shares, queue what is new, and make Chroma follow PostgreSQL."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID

import redis

from tars_app.adapters.postgres import RECONCILE_LOCK, try_lock
from tars_app.dependencies import Dependencies
from tars_app.documents.dates import date_versions
from tars_app.documents.follow import compare, embed_missing, follow_changes, in_line
from tars_app.documents.reconcile import queue_waiting, reconcile
from tars_app.documents.repository import forget_queued
from tars_app.health import passes
from tars_app.kit.errors import UnavailableError, summarize

log = logging.getLogger(__name__)

COMPARISON_INTERVAL_S = 3600.0
PROGRESS_INTERVAL_S = 30.0


class MaintenanceLoop:
    """The work that is repeated. A step that fails is logged and repeated in the next pass; the others are done."""

    def __init__(self, dependencies: Dependencies, send: Callable[[UUID], None]) -> None:
        self._dependencies = dependencies
        self._send = send
        self._next_comparison = 0.0
        self._next_progress = 0.0
        self._took_over = False
        self._undated = True
        self._problems: list[str] = []

    def run_pass(self) -> None:
        """Do one pass, unless another worker is doing one. Raises nothing."""
        try:
            self._touch_heartbeat()
            with try_lock(self._dependencies.pool, RECONCILE_LOCK) as held:
                if held:
                    self._run_steps()
        except UnavailableError as error:
            log.error("Pass failed", extra={"fields": {"reason": str(error), "next_step": error.next_step}})
        except Exception:
            log.exception("Pass failed")

    def _run_steps(self) -> None:
        pool, settings = self._dependencies.pool, self._dependencies.settings
        self._problems = []
        passes.start_pass(pool)
        self._step("reading the shares", lambda: reconcile(pool, settings, self._progress))
        self._took_over = self._took_over or self._step("taking over the queue", lambda: forget_queued(pool))
        self._undated = self._undated and not self._step("dating versions", lambda: date_versions(pool))
        self._step("queueing documents", lambda: queue_waiting(pool, self._send))
        self._step("updating Chroma", self._follow)
        passes.finish_pass(pool, "; ".join(self._problems) or None)

    def _follow(self) -> None:
        """Write what has changed to Chroma, and compare both stores where the counts differ, and every hour."""
        follow_changes(self._dependencies)
        due = time.monotonic() >= self._next_comparison
        if not in_line(self._dependencies) or due:
            compare(self._dependencies, self._progress)
            in_line(self._dependencies)
        if due and embed_missing(self._dependencies, self._progress):
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

    def _progress(self) -> None:
        self._touch_heartbeat()
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_INTERVAL_S
            passes.note_progress(self._dependencies.pool)

    def _touch_heartbeat(self) -> None:
        """Tell the health check of the container that the worker makes progress."""
        try:
            self._dependencies.settings.heartbeat.touch()
        except OSError:
            log.exception("The heartbeat file cannot be written")
