# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuse two rankings into one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

RANK_CONSTANT = 60
"""Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion": 60, and results hardly depend on it."""


@dataclass(frozen=True)
class Fused(Generic[K]):
    """A result with the score (0..1) that people see."""

    key: K
    score: float


def fuse(
    lexical: Mapping[K, float], dense: Mapping[K, float], limit: int, weight_of_dense: float = 1.0
) -> list[Fused[K]]:
    """Fuse two mappings from result to strength (0 to 1), each in the order of its ranking, by reciprocal ranks.

    Ranks order the results, as the two strengths are not comparable. A rank does not measure how good a result is, so
    the score is the strength of the evidence: 1 - (1 - lexical)(1 - dense). `weight_of_dense` is that of the second
    ranking in the order.
    """
    ranks: dict[K, float] = {}
    for ranking, weight in ((lexical, 1.0), (dense, weight_of_dense)):
        for position, key in enumerate(ranking, 1):
            ranks[key] = ranks.get(key, 0.0) + weight / (RANK_CONSTANT + position)

    def strength(key: K) -> float:
        return 1 - (1 - lexical.get(key, 0.0)) * (1 - dense.get(key, 0.0))

    best = sorted(ranks, key=lambda key: (-ranks[key], -strength(key), str(key)))[:limit]
    return [Fused(key, min(1.0, max(0.0, strength(key)))) for key in best]
