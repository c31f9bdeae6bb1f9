# SPDX-License-Identifier: GPL-3.0-or-later
"""DSM's drifting types as plain values, and the error of a plan that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import DsmError


class PlanError(DsmError):
    """What is wanted cannot be reached; `problems` holds every reason, each with its next step."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def boolean(value: Any) -> bool:
    """True, 1, "1", "true", "yes" and "on" are true; False, 0, None, a missing or any other value is false."""
    if isinstance(value, str):
        return value.strip().lower() in ("1", "true", "yes", "on")
    return bool(value)


def integer(value: Any) -> int:
    """12, 12.0, "12"; 0 where DSM left the field out or empty."""
    return int(value) if value not in (None, "") else 0


def text(value: Any) -> str:
    return "" if value is None else str(value)
