# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits: every step ends by one."""

from __future__ import annotations

import time

from .errors import BackupError


class Deadline:
    """The moment by which a step must end, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        """Start a limit of `seconds` from now."""
        self._end = time.monotonic() + seconds

    def remaining_s(self, step: str, at_most: float | None = None) -> float:
        """Return the seconds that are left for `step`, at most `at_most`.

        Raises:
            BackupError: no time is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise BackupError(step, found="no time left", expected="an end before the time limit")
        return left if at_most is None else min(left, at_most)
