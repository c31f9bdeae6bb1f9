# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for what happens beside a test: the result of a single check would depend on how busy the computer is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 180
"""Longest wait by default. Only a failure takes so long, so that it can be far above what a busy computer needs."""


def wait_for(
    condition: Callable[[], Any],
    what: str,
    seconds: float = PATIENCE_S,
    *,
    passing: tuple[type[Exception], ...] = (OSError, AssertionError),
    pause_s: float = 0.05,
) -> Any:
    """Return the first true value of a condition. Errors of the types in `passing` count as not yet true.

    The test fails with the last of them, or the last value, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            if last := condition():
                return last
        except passing as error:
            last = error
        time.sleep(pause_s)
    pytest.fail(f"waited {seconds} s for {what}; last: {last!r}")


def runs(process: int) -> bool:
    """Return whether a process runs; one that has ended can be a zombie for a while."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
