# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of desired objects, in which each may occur once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)


def repeated(items: Iterable[Item]) -> list[Item]:
    """Return the items that occur more than once, each once, in the order of their first occurrence."""
    return [item for item, count in Counter(items).items() if count > 1]


def listed_twice(kind: str, names: Iterable[str]) -> list[str]:
    """Return a problem for each name that occurs more than once."""
    return [f"{kind} {name} is listed twice. Keep one entry." for name in repeated(names)]
