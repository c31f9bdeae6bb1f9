# SPDX-License-Identifier: GPL-3.0-or-later
"""Rank passages by the words of a question: BM25, of which only what can be among the best is added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tars_app.adapters.passage_occurrences import Rows, Times

K1, B = 1.2, 0.75
"""Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"."""
TOLERANCE = 1e-6
"""Scores that differ by less are equal: the order of additions, which depends on the other passages, changes them."""
_FREQUENT = 0.02
"""Share of all passages from which on a word may be worth to be looked up in the best ones alone."""


@dataclass(frozen=True)
class Match:
    """Where a word of a question occurs: its rarity, the rows that have it, and how often.

    `names_one` is true for a word that names one thing, as the number of an invoice.
    """

    rarity: float
    rows: Rows
    times: Times
    names_one: bool

    def within(self, wanted: npt.NDArray[np.bool_]) -> Match:
        """Return what of it is in the rows for which `wanted` is true."""
        kept = wanted[self.rows]
        return Match(self.rarity, self.rows[kept], self.times[kept], self.names_one)


@dataclass(frozen=True)
class Ranking:
    """The rows, of `count`, that may be among the best, with their scores: most names of one thing precede all else.

    `matches` has at least what the words have in these rows.
    """

    count: int
    rows: Rows
    scores: npt.NDArray[np.float64]
    matches: Sequence[Match]

    def details(self, rows: Rows) -> list[tuple[float, int]]:
        """Return for some of the rows the share (0 to 1) of the question's words that each has, by their rarity.

        The second number is how many of these words name one thing.
        """
        wanted = np.zeros(self.count, np.bool_)
        wanted[rows] = True
        covered, names = dict.fromkeys(rows.tolist(), 0.0), dict.fromkeys(rows.tolist(), 0)
        for match in self.matches:
            part = match.within(wanted)
            for row, times in zip(part.rows.tolist(), part.times.tolist(), strict=True):
                covered[row] += match.rarity * min(1.0, 0.5 + times)  # a compound has the word, two words are near it
                names[row] += match.names_one
        total = max(sum(match.rarity for match in self.matches), 1e-12)
        return [(covered[row] / total, names[row]) for row in covered]


def rank(matches: Iterable[Match], norms: npt.NDArray[np.float64], limit: int) -> Ranking:
    """Return the rows that have one of the words and may be among the best `limit`, and surely those that are.

    `norms` is what BM25 adds to the number of occurrences for the size of each row's passage.

    A word adds less than its bound to a score. So where a row's score and the bounds of the words that are left remain
    below the score of `limit` others, it is not among the best, and only the others are looked up (MaxScore: Turtle and
    Flood 1995, "Query evaluation: strategies and optimizations").
    """
    ordered = sorted(matches, key=lambda match: (not match.names_one, -match.rarity))
    bounds = [match.rarity * (K1 + 1) for match in ordered]
    left = sum(bounds)
    first = 1 + left  # more than all words add
    scores = np.zeros(len(norms))
    wanted: npt.NDArray[np.bool_] | None = None
    used: list[Match] = []
    for match, bound in zip(ordered, bounds, strict=True):
        if wanted is None and not match.names_one and len(match.rows) > _FREQUENT * len(norms):
            wanted = _possible(scores, left, limit)
        part = match if wanted is None else match.within(wanted)
        used.append(part)
        scores[part.rows] += bound * (part.times / (part.times + norms[part.rows])) + first * match.names_one
        left -= bound
    rows = np.flatnonzero(scores > 0 if wanted is None else wanted)
    return Ranking(len(norms), rows, scores[rows], used)


def _possible(scores: npt.NDArray[np.float64], left: float, limit: int) -> npt.NDArray[np.bool_] | None:
    """Return for each row whether it can still be among the best if `left` is added to it; None where all can."""
    present = scores[scores > 0]
    if len(present) <= limit:
        return None
    least = np.partition(present, len(present) - limit)[len(present) - limit] - left - 2 * TOLERANCE
    return scores >= least if least > 0 else None
