# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.kit.errors import summarize
from tars_app.kit.text import storable
from tars_app.logs import JsonFormatter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ß 🔥", "plain ß 🔥"),
        ("a\x00b", "ab"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("a pair \ud83d\ude00 in two units", "a pair 😀 in two units"),
        ("\udcff.txt", "\ufffd.txt"),
    ],
)
def test_storable(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(st.text(st.characters(), max_size=50))
def test_any_text_can_be_stored(text: str) -> None:
    stored = storable(text)
    assert stored.encode().decode() == stored and "\x00" not in stored
    assert storable(stored) == stored


def test_a_log_entry_with_surrogates_and_line_ends_is_one_line_of_utf_8() -> None:
    record = logging.LogRecord("tars", logging.ERROR, "", 0, "bad \udcff name", (), None)
    record.fields = {"path": "a\nb\udcff.txt"}
    line = JsonFormatter().format(record)
    assert "\n" not in line and json.loads(line.encode())["path"] == "a\nb\udcff.txt"


def test_an_unexpected_error_is_summarized_in_one_line() -> None:
    assert summarize(ValueError("two\nlines \udcff\x00")) == "ValueError: two lines \ufffd"
    assert summarize(RecursionError()) == "RecursionError"
    assert len(summarize(ValueError("x" * 5000))) == 300
