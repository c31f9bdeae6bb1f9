# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left out of the sums is never among the best."""

from __future__ import annotations

import numpy as np
import pytest

from tars_app.adapters.passage_ranking import K1, TOLERANCE, B, Match, rank

ROWS, LIMIT = 4000, 10


def _match(generator: np.random.Generator, share: float, names_one: bool) -> Match:
    rows = np.flatnonzero(generator.random(ROWS) < share)
    times = generator.choice([0.3, 0.5, 1.0, 2.0, 7.0], size=len(rows))
    rarity = float(np.log(1 + (ROWS - len(rows) + 0.5) / (len(rows) + 0.5)))
    return Match(rarity, generator.permutation(rows), times, names_one)


def _plainly(matches: list[Match], norms: np.ndarray) -> list[tuple[int, float, float, int]]:
    """Return for each row the number of names, the score and the coverage: added up word by word, and row by row."""
    results = []
    total = sum(match.rarity for match in matches)
    where = [dict(zip(match.rows.tolist(), match.times.tolist(), strict=True)) for match in matches]
    for row in range(ROWS):
        present = [(match, times[row]) for match, times in zip(matches, where, strict=True) if row in times]
        score = sum(match.rarity * (K1 + 1) * times / (times + norms[row]) for match, times in present)
        covered = sum(match.rarity * min(1.0, 0.5 + times) for match, times in present) / total
        results.append((sum(match.names_one for match, _ in present), score, covered, row))
    return results


@pytest.mark.parametrize("seed", range(40))
def test_the_best_are_those_of_all_sums(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shares = generator.choice([0.001, 0.004, 0.02, 0.1, 0.4, 0.9], size=6)
    matches = [_match(generator, share, generator.random() < 0.2) for share in shares]
    norms = K1 * (1 - B + B * generator.choice([0.2, 1.0, 3.0], size=ROWS))
    expected = _plainly(matches, norms)
    # Each that is as good as the last of the best, as many as these may be.
    ordered = sorted((entry for entry in expected if entry[1]), key=lambda entry: (-entry[0], -entry[1]))
    last = ordered[min(LIMIT, len(ordered)) - 1]
    best = {row for names, score, _, row in ordered if (names, score) >= (last[0], last[1] - TOLERANCE)}

    ranking = rank(matches, norms, LIMIT)
    assert best <= set(ranking.rows.tolist())
    rows = np.array(sorted(best))
    scores = dict(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True))
    by_score = sorted(best, key=lambda row: -scores[row])
    assert [round(expected[row][1], 9) for row in by_score] == [
        round(expected[row][1], 9) for row in sorted(best, key=lambda row: (-expected[row][0], -expected[row][1]))
    ]
    details = ranking.details(rows)
    assert [names for _, names in details] == [expected[row][0] for row in rows]
    assert [covered for covered, _ in details] == pytest.approx([expected[row][2] for row in rows])


def test_few_rows_are_left_where_a_rare_word_decides() -> None:
    generator = np.random.default_rng(1)
    matches = [_match(generator, share, False) for share in (0.005, 0.9)]
    assert LIMIT <= len(rank(matches, np.ones(ROWS), LIMIT).rows) < 0.01 * ROWS
