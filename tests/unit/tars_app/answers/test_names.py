# SPDX-License-Identifier: GPL-3.0-or-later
"""Proper names of a sentence, and whether passages have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tars_app.answers.grounding import Evidence
from tars_app.answers.names import names

CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("names.yml").read_text())
PASSAGE = (
    "The boiler of Jane Doe is serviced by Brandt Heating. Peter Müller keeps the key. "
    "The Heizkessel is new. Mr. Ott reads the meter."
)


@pytest.mark.parametrize("case", CASES["names"], ids=lambda case: case["text"])
def test_names_of_a_sentence(case: dict[str, Any]) -> None:
    assert [name.text for name in names(case["text"])] == case["expect"]


@pytest.mark.parametrize("case", CASES["persons"], ids=lambda case: case["text"])
def test_names_of_an_answer_to_who(case: dict[str, Any]) -> None:
    assert [name.text for name in names(case["text"], "de", persons=True)] == case["expect"]


@pytest.mark.parametrize(
    ("answer", "unsupported"),
    [
        ("It is Jane Doe.", []),
        ("It is Doe, Jane.", []),
        ("It is Mrs. Doe.", []),
        ("It is Mueller's key.", []),
        ("It is Jane Müller.", ["Jane Müller"]),
        ("It is Brandt Doe.", ["Brandt Doe"]),
        ("It is Jane Brandt.", ["Jane Brandt"]),
        ("The Boiler Key is kept by Peter Müller.", []),
        ("Kessel ist der von Jane Doe.", []),
        ("Smith is the owner.", ["Smith"]),
    ],
)
def test_names_are_looked_up(answer: str, unsupported: list[str]) -> None:
    found_in = Evidence("What is it?", [("notes.txt", PASSAGE)])
    assert [entry.figure.text for entry in found_in.check(answer).unsupported] == unsupported


@given(st.text(max_size=200), st.sampled_from(["en", "de", ""]), st.booleans())
def test_names_are_pieces_of_the_text_in_order(text: str, spoken: Any, persons: bool) -> None:
    end = 0
    for name in names(text, spoken, persons=persons):
        assert end <= name.start < name.end and text[name.start : name.end] == name.text
        end = name.end
