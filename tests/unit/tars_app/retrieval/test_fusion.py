# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tars_app.retrieval.fusion import RANK_CONSTANT, fuse

strengths = st.dictionaries(st.integers(0, 20), st.floats(0, 1), max_size=10)


def keys(lexical: dict[str, float], dense: dict[str, float], limit: int = 10) -> list[str]:
    return [result.key for result in fuse(lexical, dense, limit)]


def test_a_result_of_both_rankings_comes_before_one_of_a_single_ranking() -> None:
    assert keys({"a": 0.9, "b": 0.8}, {"c": 0.9, "b": 0.5}) == ["b", "a", "c"]


def test_the_order_is_that_of_reciprocal_ranks() -> None:
    lexical, dense = {"a": 1.0, "b": 0.9, "c": 0.8}, {"c": 0.7, "a": 0.6, "d": 0.5}
    by_hand = {
        "a": 1 / (RANK_CONSTANT + 1) + 1 / (RANK_CONSTANT + 2),
        "b": 1 / (RANK_CONSTANT + 2),
        "c": 1 / (RANK_CONSTANT + 3) + 1 / (RANK_CONSTANT + 1),
        "d": 1 / (RANK_CONSTANT + 3),
    }
    assert keys(lexical, dense) == sorted(by_hand, key=lambda key: -by_hand[key])


def test_a_ranking_by_a_model_that_does_not_know_the_language_counts_less() -> None:
    lexical, dense = {"a": 0.6, "b": 0.5}, {"b": 0.9, "a": 0.6}
    assert [result.key for result in fuse(lexical, dense, 5)] == ["b", "a"]
    assert [result.key for result in fuse(lexical, dense, 5, 0.5)] == ["a", "b"]


def test_the_score_is_the_strength_not_the_rank() -> None:
    [weak] = fuse({}, {"a": 0.3}, 5)
    [strong] = fuse({"a": 0.8}, {"a": 0.7}, 5)
    assert round(weak.score, 6) == 0.3 and round(strong.score, 6) == 0.94


@given(strengths, strengths, st.integers(1, 30))
def test_fused_results_are_the_union_once_each_with_scores_in_bounds(
    lexical: dict[int, float], dense: dict[int, float], limit: int
) -> None:
    results = fuse(lexical, dense, limit)
    assert len(results) == min(limit, len(lexical.keys() | dense.keys())) == len({r.key for r in results})
    assert all(0 <= result.score <= 1 for result in results)
