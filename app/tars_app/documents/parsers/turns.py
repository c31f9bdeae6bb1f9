# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop the process that recognises a page while other files are parsed.

The scheduling policy "idle" alone is not enough: it does not count between the groups that Linux makes of processes
(cgroups, and sessions with autogroup: sched(7)), nor between two logical processors that share a core.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PERIOD_S, SHARE_S = 16.0, 1.0
"""In each period, pages go on for so long beside files, so that they are recognised though files never end."""

_lock = threading.Lock()
_files = 0
_pages: set[int] = set()


@contextmanager
def file() -> Iterator[None]:
    """Stop the pages while a file is read."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


@contextmanager
def page(process: int) -> Iterator[None]:
    """Let a process (pidfd) that recognises a page wait for files. Call `settle` every now and then meanwhile."""
    with _lock:
        _pages.add(process)
        _settle()
    try:
        yield
    finally:
        with _lock:
            _pages.remove(process)


def settle() -> None:
    """Begin or end the time in which pages go on beside files, if it is due."""
    with _lock:
        _settle()


def _count(number: int) -> None:
    global _files
    with _lock:
        _files += number
        _settle()


def _settle() -> None:
    wait = _files > 0 and time.monotonic() % PERIOD_S >= SHARE_S
    for process in _pages:
        with suppress(ProcessLookupError):  # it has ended
            signal.pidfd_send_signal(process, signal.SIGSTOP if wait else signal.SIGCONT)
