# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tars_app.answers.quotes import LONGEST_QUOTE, MOST_CITATIONS, Quotable, Quote
from tars_app.answers.sources import Source

HEATING = (
    "The boiler is serviced every September by Brandt. "
    "The water pressure has to be between 1.2 and 1.8 bar. "
    "Refill water through the blue valve."
)
GARDEN = "The apple tree is pruned in February. Water the roses every evening in summer."


def find_quotes(question: str, answer: str, texts: list[str], scores: list[float]) -> list[Quote]:
    sources = [Source(number, "", text) for number, text in enumerate(texts, 1)]
    return Quotable(sources, scores).find(question, answer)


def test_the_sentence_that_holds_the_answer_is_quoted() -> None:
    quotes = find_quotes(
        "What pressure does the boiler need?", "It needs 1.2 to 1.8 bar. [1]", [HEATING, GARDEN], [1, 1]
    )
    assert [(quote.source, quote.text) for quote in quotes] == [
        (1, "The water pressure has to be between 1.2 and 1.8 bar.")
    ]


def test_a_named_passage_comes_first() -> None:
    quotes = find_quotes("Water?", "Water the roses in the evening [2].", [HEATING, GARDEN], [1, 1])
    assert quotes[0].source == 2 and "roses" in quotes[0].text


def test_a_marker_for_a_passage_that_is_not_there_is_ignored() -> None:
    assert {quote.source for quote in find_quotes("Apple tree?", "In February [7].", [HEATING, GARDEN], [1, 1])} == {2}


def test_without_an_answer_the_passage_that_fits_the_question_is_quoted() -> None:
    assert find_quotes("When is the apple tree pruned?", "", [HEATING, GARDEN], [1, 1])[0].text == (
        "The apple tree is pruned in February."
    )


def test_an_evasive_answer_does_not_lead_away_from_the_question() -> None:
    texts = [
        "Brandt Heating services the boiler every September. The contract number is BH-20417.",
        "The boiler stands in the cellar. It was installed in October 2019 by Brandt Heating.",
        "Code E15 means water in the base. Only the service can repair it.",
    ]
    answer = "The document does not provide a specific answer, but mentions the service provided by Brandt Heating."
    quotes = find_quotes("Who services the boiler?", answer, texts, [1.0, 0.757, 0.3])
    assert [quote.text for quote in quotes] == ["Brandt Heating services the boiler every September."]


def test_a_sentence_is_quoted_with_the_one_that_it_points_to() -> None:
    text = "The boiler in the cellar is a Viessmann Vitodens 200. Its service contract number is KX-4471."
    answer = "The boiler in the cellar is a Viessmann Vitodens 200."
    [quote] = find_quotes("What is the service contract number of the boiler?", answer, [text], [1])
    assert quote.text == text


def test_nothing_to_quote_from() -> None:
    assert find_quotes("Why?", "Because.", [], []) == []


def test_a_long_sentence_is_cut_where_it_matters() -> None:
    text = "and so on " * 80 + "the secret word is xylophone " + "and so forth " * 80
    [quote] = find_quotes("What is the secret word?", "xylophone", [text], [1])
    assert "secret word is xylophone" in quote.text and len(quote.text) <= LONGEST_QUOTE and quote.text in text


@given(
    st.lists(st.text(st.sampled_from("abc .!\nX1[]🔥ß"), max_size=500), max_size=5), st.text("abc X1[]", max_size=50)
)
def test_a_quote_is_a_piece_of_its_passage(texts: list[str], answer: str) -> None:
    quotes = find_quotes("abc X", answer, texts, [0.5] * len(texts))
    assert len(quotes) <= MOST_CITATIONS and len({quote.source for quote in quotes}) == len(quotes)
    for quote in quotes:
        assert quote.text in texts[quote.source - 1] and 0 < len(quote.text) <= LONGEST_QUOTE
