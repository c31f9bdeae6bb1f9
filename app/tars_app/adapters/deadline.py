# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that may hang, as those of a file on a NAS that is off, with a limit of their time and of their number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


class LateError(Exception):
    """A call has not returned in time, or too many earlier ones have not."""


class Deadline:
    """Runs each call in a thread of its own, and gives it up after `seconds`. At most `most` calls run at a time.

    A call that was given up goes on, because nothing can end it, and counts until it returns. So a share that hangs
    takes `most` threads and nothing else.
    """

    def __init__(self, seconds: float, most: int = 8) -> None:
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(most)

    def call(self, function: Callable[[], T], late: Callable[[T], object] = lambda _: None) -> T:
        """Return what a function returns. `late` gets the result of one that returns after it was given up.

        Raises:
            LateError: it has not returned in time.
            Exception: what the function raises.
        """
        if not self._free.acquire(timeout=self._seconds):
            raise LateError
        future: Future[T] = Future()
        try:
            threading.Thread(target=self._run, args=(function, future), daemon=True).start()
        except RuntimeError:  # no thread can be started
            self._free.release()
            raise
        if not wait([future], self._seconds).done:
            future.add_done_callback(lambda done: None if done.exception() else late(done.result()))
            raise LateError
        return future.result()

    def _run(self, function: Callable[[], T], future: Future[T]) -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001  raised again where the result is waited for
            self._free.release()
            future.set_exception(error)
        else:
            self._free.release()
            future.set_result(result)
