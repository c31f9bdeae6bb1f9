# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a text, and whether a passage supports them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tars_app.answers.figures import figures, readings
from tars_app.answers.grounding import Evidence
from tars_app.kit.numerals import german_number, number_word
from tars_app.kit.text import words

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("figures.yml").read_text())
ENGLISH_MONTHS = words("January February March April May June July August September October November December")
GERMAN_MONTHS = words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")


def unsupported(answer: str, passage: str) -> list[str]:
    return [entry.figure.text for entry in Evidence("", [("", passage)]).check(answer).unsupported]


@pytest.mark.parametrize("case", CASES["figures"], ids=lambda case: case["text"])
def test_figures_of_a_text(case: dict[str, Any]) -> None:
    read = [[figure.kind, figure.text] for figure in figures(case["text"]) if not figure.weak]
    assert read == case["expect"]


@pytest.mark.parametrize(("answer", "passage"), CASES["same"])
def test_the_same_figure_in_another_form_is_found(answer: str, passage: str) -> None:
    assert unsupported(answer, passage) == []


@pytest.mark.parametrize(("answer", "passage"), CASES["different"])
def test_another_figure_is_not_taken_for_it(answer: str, passage: str) -> None:
    assert unsupported(answer, passage) != []


def in_english(number: int) -> str:
    units = words(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen"
    )
    tens = words("twenty thirty forty fifty sixty seventy eighty ninety")
    if number < 20:
        return units[number]
    if number < 100:
        return tens[number // 10 - 2] + (f"-{units[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number % size
    joint = " and " if rest < 100 else " "
    return f"{in_english(number // size)} {name}" + (f"{joint}{in_english(rest)}" if rest else "")


def in_german(number: int) -> str:
    small = words(
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn"
    )
    tens = words("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
    if number < 20:
        return small[number]
    if number < 100:
        unit = "ein" if number % 10 == 1 else small[number % 10]
        return (f"{unit}und" if number % 10 else "") + tens[number // 10 - 2]
    size, name = (100, "hundert") if number < 1000 else (1000, "tausend")
    high = in_german(number // size)
    return (
        (high.removesuffix("s") if high.endswith("eins") else high)
        + name
        + (in_german(number % size) if number % size else "")
    )


@given(st.integers(0, 999_999))
def test_every_number_that_is_spelled_out_is_read(number: int) -> None:
    english = in_english(number)
    assert number_word(f"{english} litres", 0) == (number, len(english))
    assert german_number(in_german(number)) == number


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_an_amount_is_the_same_in_both_languages(whole: int, cents: int) -> None:
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    value = frozenset({Decimal(whole) + Decimal(cents) / 100})
    assert readings(english, "en") == readings(german, "de") == readings(english, "") == readings(german, "") == value
    assert unsupported(f"It is {english} EUR.", f"Der Betrag ist {german} €.") == []
    assert unsupported(f"It is {english} EUR.", f"Der Betrag ist {german}1 €.") != []


@given(st.dates(date(1950, 1, 1), date(2099, 12, 31)), st.dates(date(1950, 1, 1), date(2099, 12, 31)))
def test_a_date_is_the_same_in_every_form(day: date, other: date) -> None:
    def forms(of: date) -> list[str]:
        return [
            of.isoformat(),
            f"{of.day} {ENGLISH_MONTHS[of.month - 1]} {of.year}",
            f"{ENGLISH_MONTHS[of.month - 1]} {of.day}, {of.year}",
            f"{of.day}. {GERMAN_MONTHS[of.month - 1]} {of.year}",
            f"{of.day:02}.{of.month:02}.{of.year}",
            f"{of.day}.{of.month}.{of.year}",
        ]

    for passage in forms(day):
        for answer in forms(day):
            assert unsupported(f"It was on {answer}.", f"Done: {passage}.") == []
        if day != other:
            assert unsupported(f"It was on {forms(other)[0]}.", f"Done: {passage}.") != []


@given(st.text(max_size=300))
def test_figures_are_pieces_of_the_text_in_order(text: str) -> None:
    end = 0
    for figure in figures(text):
        assert end <= figure.start < figure.end <= len(text) and text[figure.start : figure.end] == figure.text
        end = figure.end


@given(st.text(st.sampled_from("019 .,:/-€%abAB\nMay"), max_size=200))
def test_a_passage_supports_its_own_figures(text: str) -> None:
    assert [entry for entry in Evidence("", [("", text)]).check(text).unsupported if entry.figure.kind != "name"] == []
