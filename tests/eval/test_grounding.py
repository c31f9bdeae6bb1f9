# SPDX-License-Identifier: GPL-3.0-or-later
"""At most 2 % of supported sentences are marked, and every one with an invented figure or name is."""

from __future__ import annotations

from typing import Any

import pytest

from .grounding import load, measure

MOST_FALSELY_MARKED = 0.02


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measure()


def test_what_the_passages_say_is_not_marked(measured: dict[str, Any]) -> None:
    assert measured["falsely_marked_share"] <= MOST_FALSELY_MARKED, measured["falsely_marked_sentences"]
    assert measured["supported"] >= 150


def test_everything_invented_is_marked(measured: dict[str, Any]) -> None:
    assert measured["missed_sentences"] == []
    assert measured["unsupported"] >= 300


def test_both_languages_are_measured() -> None:
    german = [case for case in load("supported") if case.question.startswith(("Wann", "Wer ", "Wie ", "Bis "))]
    assert len(german) >= 25
