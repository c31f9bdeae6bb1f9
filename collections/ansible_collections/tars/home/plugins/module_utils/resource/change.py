# SPDX-License-Identifier: GPL-3.0-or-later
"""The change of planners whose changes differ only in what is done, and to what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """What is done, in the words of the planner that returns it, such as `enable`, and to what."""

    kind: str
    subject: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
