# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from tars_app.answers.subject import is_missing, nouns


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What colour is the Octavia?", ["colour", "Octavia"]),
        ("Who is the dentist of the family?", ["dentist"]),
        ("How much did the sofa cost?", ["sofa"]),
        ("When does the passport of Carla expire?", ["passport", "Carla"]),
        ("Was the recommended water pressure changed?", ["water"]),
        ("What is the price?", []),
        ("What monthly price did the contract state?", ["contract"]),
        ("How many calories does a hamburger have?", ["calories", "hamburger"]),
        ("Wie heißt der Klavierlehrer von Lotta?", ["Klavierlehrer", "Lotta"]),
        ("Wie hoch ist der Betrag der Rechnung?", []),
    ],
)
def test_nouns_of_a_question(question: str, expected: list[str]) -> None:
    assert [noun.text for noun in nouns(question)] == expected


CAR = [("car.md", "The Octavia has winter tyres. Drivers: Jonas and Carla."), ("lunch.md", "Lunch costs 4 EUR.")]


@pytest.mark.parametrize(
    ("question", "score", "missing"),
    [
        ("What colour is the Octavia?", 0.66, True),
        ("Which tyres has the Octavia?", 0.5, False),
        ("What are the tyres of Miriam?", 0.5, True),
        ("What are the tyres of Miriam?", 0.6, True),
        ("What are the tyres like, as Miriam asked?", 0.5, True),
        ("What are the tyres like, as Miriam asked?", 0.6, False),
        ("Who are the drivers?", 0.5, False),
        ("Wer sind die Fahrer und welche Reifen sind es?", 0.6, False),  # the documents are in English
        ("Wer sind die Fahrer und welche Reifen sind es?", 0.5, True),
        ("How much is it?", 0.5, False),
    ],
)
def test_a_document_has_the_first_noun(question: str, score: float, missing: bool) -> None:
    assert is_missing(question, CAR, score) == missing


INSURANCE = [("auto.md", "Kfz-Versicherung. Auto: Skoda Octavia. Die Selbstbeteiligung beträgt 300 Euro.")]


@pytest.mark.parametrize(
    ("question", "score", "missing"),
    [
        ("Was stand in der Autoversicherung zur Selbstbeteiligung?", 0.6, False),  # both parts are there
        ("Was stand in der Hausratversicherung zur Selbstbeteiligung?", 0.6, True),
        ("Wie hoch ist die Selbstbeteiligung, weil die Hotline nach der Versicherung fragt?", 0.5, False),
        ("Wie hoch ist die Selbstbeteiligung der Hausratversicherung?", 0.5, True),  # half of the nouns
        ("Wie lange gilt die Versicherung des Motorrads?", 0.6, True),
    ],
)
def test_german_nouns(question: str, score: float, missing: bool) -> None:
    assert is_missing(question, INSURANCE, score) == missing
