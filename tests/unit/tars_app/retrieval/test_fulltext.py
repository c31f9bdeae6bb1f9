# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from tars_app.adapters.passage_titles import runs_of, spaced
from tars_app.retrieval.fulltext import content_of, has_operators, without_operators


@pytest.mark.parametrize("query", ['"quiet hours"', 'rent "first of the month"', "rent -garage", "rent OR deposit"])
def test_search_syntax_is_recognised(query: str) -> None:
    assert has_operators(query)


@pytest.mark.parametrize(
    "query",
    ['a 27" screen', "at -9 degrees", "RE-2024-00815", 'the "', "either OR", "OR", "e-mail", "2019 - 2024", '5" x 7"'],
)
def test_other_marks_are_no_syntax(query: str) -> None:
    assert not has_operators(query)


def test_excluded_words_are_not_looked_for() -> None:
    assert without_operators('rent "of the flat" -garage').split() == ["rent", "of", "the", "flat"]


def test_words_without_a_subject_are_left_out() -> None:
    assert content_of("Please tell me what the rent of the flat is").split() == ["rent", "flat"]
    assert content_of("Wie hoch ist denn die Miete?").split() == ["hoch", "Miete?"]
    assert content_of("who are you") == "who are you"


def test_parts_of_identifiers_are_words() -> None:
    assert spaced("RE-2024-00815 and A/2024/118, 12.44 - done.") == "RE 2024 00815 and A 2024 118, 12 44 - done."
    assert runs_of("RE-2024-00815, A/2024/118 and self-made") == {"re 2024 00815", "a 2024 118"}
