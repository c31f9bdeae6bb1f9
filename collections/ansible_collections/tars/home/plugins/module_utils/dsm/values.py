# SPDX-License-Identifier: GPL-3.0-or-later
"""DSM's varying types as plain values, and the error of an impossible plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import DsmError


class PlanError(DsmError):
    """The desired state cannot be reached; `problems` holds every reason, each with its next step."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def boolean(value: Any) -> bool:
    """Return true for True, 1, "1", "true", "yes" and "on", false for anything else."""
    if isinstance(value, str):
        return value.strip().lower() in ("1", "true", "yes", "on")
    return bool(value)


def integer(value: Any) -> int:
    """Return a number that may be a string; 0 where DSM left the field out or empty."""
    return int(value) if value not in (None, "") else 0


def text(value: Any) -> str:
    """Return a value as text; empty where DSM left the field out."""
    return "" if value is None else str(value)
