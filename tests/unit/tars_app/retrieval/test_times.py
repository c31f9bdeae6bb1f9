# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.retrieval.times import TimeInQuestion, time_in, without_time

TODAY = date(2026, 5, 20)  # a Wednesday


def days(question: str) -> tuple[str, str, str] | None:
    time = time_in(question, TODAY)
    if time is None or time.first is None or time.last is None:
        return None
    return time.text, time.first.isoformat(), time.last.isoformat()


@pytest.mark.parametrize(
    ("question", "text", "first", "last"),
    [
        ("What was the rent on 4 May 2023?", "4 May 2023", "2023-05-04", "2023-05-04"),
        ("Wie hoch war die Miete am 4. Mai 2023?", "4. Mai 2023", "2023-05-04", "2023-05-04"),
        ("the gas bill of 2022", "2022", "2022-01-01", "2022-12-31"),
        ("bills in May 2023", "May 2023", "2023-05-01", "2023-05-31"),
        ("the rent in spring 2024", "spring 2024", "2024-03-01", "2024-05-31"),
        ("im Winter 2023/24", "Winter 2023/24", "2023-12-01", "2024-02-29"),
        ("last spring", "last spring", "2025-03-01", "2025-05-31"),  # this one has not ended
        ("this spring", "this spring", "2026-03-01", "2026-05-20"),
        ("im letzten Winter", "letzten Winter", "2025-12-01", "2026-02-28"),
        ("diesen Sommer", "diesen Sommer", "2025-06-01", "2025-08-31"),
        ("last May", "last May", "2025-05-01", "2025-05-31"),
        ("letzten April", "letzten April", "2026-04-01", "2026-04-30"),
        ("last year", "last year", "2025-01-01", "2025-12-31"),
        ("voriges Jahr", "voriges Jahr", "2025-01-01", "2025-12-31"),
        ("last month", "last month", "2026-04-01", "2026-04-30"),
        ("this week", "this week", "2026-05-18", "2026-05-20"),
        ("letzte Woche", "letzte Woche", "2026-05-11", "2026-05-17"),
        ("three years ago", "three years ago", "2023-01-01", "2023-12-31"),
        ("vor zwei Monaten", "vor zwei Monaten", "2026-03-01", "2026-03-31"),
        ("10 days ago", "10 days ago", "2026-05-10", "2026-05-10"),
        ("a week ago", "a week ago", "2026-05-11", "2026-05-17"),
        ("gestern", "gestern", "2026-05-19", "2026-05-19"),
        ("between 2021 and May 2023", "2021 and May 2023", "2021-01-01", "2023-05-31"),
        ("zwischen März 2021 und 2022", "März 2021 und 2022", "2021-03-01", "2022-12-31"),
        ("from 1 May 2024 to yesterday", "1 May 2024 to yesterday", "2024-05-01", "2026-05-19"),
        ("all letters since 2024", "since 2024", "2024-01-01", "2026-05-20"),
        ("alle Briefe seit Mai 2024", "seit Mai 2024", "2024-05-01", "2026-05-20"),
        ("bills after 2024", "after 2024", "2025-01-01", "2026-05-20"),
        ("bills before May 2023", "before May 2023", "1900-01-01", "2023-04-30"),
        ("Rechnungen vor 2023", "vor 2023", "1900-01-01", "2022-12-31"),
        ("bis zum 4.5.2023", "bis zum 4.5.2023", "1900-01-01", "2023-05-04"),
        ("in 2021 and in 2023", "2021", "2021-01-01", "2021-12-31"),
    ],
)
def test_times_are_days(question: str, text: str, first: str, last: str) -> None:
    assert days(question) == (text, first, last)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What did the lease say last spring?", "as_of"),
        ("as of 2023-05-04, what is the rent?", "as_of"),
        ("the rent as it was in 2023", "as_of"),
        ("the price in 2023, before it was raised", "as_of"),
        ("Stand 4. Mai 2023: wie hoch ist die Miete?", "as_of"),
        ("Wie lautete der Vertrag im Frühjahr 2024?", "as_of"),
        ("What did the lease say between 2021 and 2023?", "between"),
        ("What did the lease say before 2023?", "as_of"),
        ("What did the lease say since 2023?", "between"),
        ("What was the gas bill in 2022?", "period"),
        ("When was the boiler serviced last year?", "period"),
        ("the latest gas bill", "latest"),
        ("Which pressure does the boiler need now?", "latest"),
        ("Wie hoch ist die Erstattung im letzten Steuerbescheid?", "latest"),
        ("Which rules applied in 2023?", "as_of"),
        ("Welche Regeln galten 2023?", "as_of"),
        ("the price before it was raised in 2023", "as_of"),
        ("What changed in the lease in 2023?", "between"),
        ("Has the excess been changed since 2022?", "between"),
        ("Did the notice period change?", "between"),
        ("Wurde die Selbstbeteiligung geändert?", "between"),
        ("Which versions of the lease are there?", "between"),
        ("Show the history of the lease", "between"),
        ("Welche Fassungen der Hausordnung gibt es?", "between"),
        ("How often was the lease changed?", "between"),
        ("What was the last electricity bill?", "latest"),
        ("Wie hoch war die letzte Rechnung?", "latest"),
        ("die aktuelle Miete", "latest"),
        ("Was wurde zuletzt am Auto gemacht?", "latest"),
        ("Welche Firma hat im Vertrag 2023 den Anbieter abgelöst?", "between"),
        ("the most recent letter of the school", "latest"),
    ],
)
def test_the_kind_depends_on_what_is_asked(question: str, kind: str) -> None:
    time = time_in(question, TODAY)
    assert time and time.kind == kind


@pytest.mark.parametrize(
    "question",
    [
        "When was the boiler last serviced?",
        "Who pays the rent, and how long does it last?",
        "What may the tenant do in the garden?",
        "invoice RE-2024-00815",
        "What happens in 2031?",
        "Which spring holds the lid of the oven?",
        "the last page",
        "letters after this year",
        "",
    ],
)
def test_a_question_without_a_past_time_names_none(question: str) -> None:
    assert time_in(question, TODAY) is None


WORDS = (
    "since before after vor last this spring may 2023 3 years Jahren ago between and did say 4. Mai winter week latest"
    " as of until - 999"
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=9), st.dates(date(1950, 1, 1), date(2150, 1, 1)))
def test_any_question_has_a_time_up_to_today_that_stands_in_it(words: list[str], today: date) -> None:
    question = " ".join(words)
    time = time_in(question, today)
    assert time is None or time.text in question
    if isinstance(time, TimeInQuestion) and time.kind != "latest":
        assert time.first and time.last and time.first <= time.last <= today


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What changed between 2023 and 2024?", "2024-01-01", "2024-12-31"),
        ("Was hat sich zwischen 2023 und 2024 geändert?", "2024-01-01", "2024-12-31"),
        ("What changed in the lease in 2023?", "2023-01-01", "2023-12-31"),
        ("What has changed since May 2025?", "2025-05-01", "2026-05-20"),
        ("What is different compared with 2023?", "2024-01-01", "2026-05-20"),
        ("Was ist anders im Vergleich zu 2023, was ist der Unterschied?", "2024-01-01", "2026-05-20"),
        ("Did the notice period change?", None, "2026-05-20"),
        ("Which versions of the lease are there?", None, "2026-05-20"),
        ("the price before it was raised in 2023", "1900-01-01", "2022-12-31"),
    ],
)
def test_changes_are_those_between_two_states(question: str, first: str | None, last: str) -> None:
    """A year that is compared is its end, as where a version of that year is meant; without one, all of the history."""
    time = time_in(question, TODAY)
    assert time and time.last
    assert (time.first and time.first.isoformat(), time.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "question", ["How do I change the filter?", "When was the oil changed?", "Wer hat das Schloss ausgetauscht?"]
)
def test_a_change_in_the_house_is_not_one_of_a_document(question: str) -> None:
    assert time_in(question, TODAY) is None


def test_words_that_ask_for_a_comparison_are_not_looked_for() -> None:
    question = "What changed in the lease between 2023 and 2024?"
    time = time_in(question, TODAY)
    assert time and without_time(question, time).split() == ["What", "in", "the", "lease", "between", "?"]
