# SPDX-License-Identifier: GPL-3.0-or-later
"""What a question asks for, and whether passages contain any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tars_app.answers.asked import are_about, kind_is_missing, read_question
from tars_app.answers.sources import Source

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("asked.yml").read_text())
SAMPLES = Path(__file__).parents[4] / "library/tars_provision/assistant/samples"
KINDS = [(question, kind) for kind, questions in CASES["kinds"].items() for question in questions]
RECEIPT = "Receipt\n\nDishwasher, 12 May 2021, 649.00 EUR"
MANUAL = "Manual\n\nWhen you buy the dishwasher, check that nothing is damaged."


def missing(question: str, *passages: tuple[str, str]) -> bool:
    sources = [Source(number, title, text) for number, (title, text) in enumerate(passages, 1)]
    return kind_is_missing(read_question(question), sources)


def of_demo(case: dict[str, Any]) -> bool:
    return missing(case["question"], *((name, (SAMPLES / name).read_text()) for name in case["documents"]))


@pytest.mark.parametrize(("question", "kind"), KINDS)
def test_what_a_question_asks_for(question: str, kind: str) -> None:
    assert read_question(question).asked == (None if kind == "none" else kind)


@pytest.mark.parametrize("case", CASES["missing"], ids=lambda case: case["question"])
def test_the_documents_do_not_say(case: dict[str, Any]) -> None:
    assert of_demo(case)


@pytest.mark.parametrize("case", CASES["present"], ids=lambda case: case["question"])
def test_the_documents_may_say(case: dict[str, Any]) -> None:
    assert not of_demo(case)


def test_a_document_that_shares_fewer_words_may_have_the_date() -> None:
    assert not missing("When did we buy the dishwasher?", ("manual.txt", MANUAL), ("receipt.txt", RECEIPT))


def test_a_document_about_something_else_does_not_have_it() -> None:
    other = ("car.txt", "The car was registered on 9 February 2016.")
    assert missing("When did we buy the dishwasher?", ("manual.txt", MANUAL), other)


def test_a_schedule_in_one_passage_of_a_document_is_no_event_of_another() -> None:
    first, second = (SAMPLES / "heating.md").read_text().split("## Water pressure")
    question = "When was the boiler last serviced?"
    assert missing(question, ("heating.md", second), ("heating.md", first))
    assert not missing(question, ("heating.md", second), ("log.md", "12 Sep 2023: boiler serviced, filter changed"))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("Who cleans the chimney?", "the chimney sweep cleans the chimney every March"),
        ("When should I call the service?", "Call the service if the code returns."),
        ("When must salt be filled in?", "Fill in salt when the salt lamp is lit."),
        ("When was the boiler installed?", "The boiler was installed in October."),
        ("When did the alarm ring?", "The alarm rang at 8:40."),
        ("What is the house number?", "The house is Lindenstraße 14."),
        ("What is the emergency number?", "Emergency: 112"),
    ],
)
def test_an_answer_of_another_form_is_not_missing(question: str, passage: str) -> None:
    assert not missing(question, ("notes.txt", passage))


def test_passages_without_a_word_of_the_question_are_not_about_it() -> None:
    question = read_question("What is the PIN of the bank card?")
    assert not are_about(question, [Source(1, "receipt.txt", RECEIPT)])
    assert are_about(question, [Source(1, "receipt.txt", RECEIPT), Source(2, "bank/letter.txt", "Dear customer")])


@given(st.text(max_size=80), st.lists(st.text(max_size=120), max_size=3))
def test_any_question_and_any_passages(question: str, texts: list[str]) -> None:
    assert missing(question, *(("", text) for text in texts)) in (True, False)
