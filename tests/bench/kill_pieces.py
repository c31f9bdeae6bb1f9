# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of tests.bench.kill: each takes minutes, and the next one goes on where it has ended."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AT_ONCE = 20
"""Moments or boundaries of a part before it is another part's turn."""


@dataclass(frozen=True)
class Piece:
    """The numbers of a part, from 1, from the first that is left to do up to a goal; none begins after the end."""

    name: str
    first: int
    goal: int
    end: float

    def numbers(self, goal: int | None = None) -> Iterator[int]:
        """Yield the numbers of the piece."""
        for number in range(self.first, min(self.first + AT_ONCE, (goal or self.goal) + 1)):
            if time.monotonic() > self.end:
                return
            yield number

    def moment(self, number: int) -> random.Random:
        """Return the random numbers of a moment."""
        return random.Random(f"{self.name} {number}")


Part = Callable[[Piece], dict[str, int]]
"""Carries a piece out, and returns how many `moments` or `boundaries` there were; of the latter also `of` how many."""


def call(parts: Mapping[str, Part], path: Path, *, moments: int, limit_s: float) -> None:
    """Carry out pieces for some time, each of the part that is least complete, and add what they counted to a file."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        results: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        left = [name for name in parts if done(results.get(name, {}), moments) < 1]
        if not left:
            break
        name = min(left, key=lambda name: done(results.get(name, {}), moments))
        before = results.get(name, {})
        first = 1 + int(before.get("moments", 0) + before.get("boundaries", 0))
        began = time.monotonic()
        counted = {**parts[name](Piece(name, first, moments, end)), "seconds": round(time.monotonic() - began)}
        results[name] = {key: count + (0 if key == "of" else before.get(key, 0)) for key, count in counted.items()}
        path.write_text(json.dumps(results, indent=1) + "\n")
        report(json.dumps({name: results[name]}))


def done(result: Mapping[str, int], moments: int) -> float:
    """Return the share of a part that is complete: 1 if nothing is left."""
    if "of" in result:
        return result["boundaries"] / result["of"]
    return result.get("moments", 0) / moments


def report(line: str) -> None:
    """Print progress."""
    print(line, file=sys.stderr, flush=True)
