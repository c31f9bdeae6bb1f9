# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of desired objects, in which each may occur once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Name = TypeVar("Name", bound=Hashable)


def repeated(items: Iterable[Name]) -> list[Name]:
    """Return the items that occur more than once, each once, in the order of their first occurrence."""
    return [item for item, count in Counter(items).items() if count > 1]


def distinct(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[Item]:
    """Return the items in their order, without those whose key an earlier item has."""
    first: dict[Hashable, Item] = {}
    for item in items:
        first.setdefault(key(item), item)
    return list(first.values())


def listed_twice(kind: str, names: Iterable[str], advice: str = "Keep one entry.") -> list[str]:
    """Return a problem for each name that occurs more than once."""
    return [f"{kind} {name} is listed twice. {advice}" for name in repeated(names)]
