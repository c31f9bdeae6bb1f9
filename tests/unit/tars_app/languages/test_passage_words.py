# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of passages by their keys, and compounds. The words are stemmed as PostgreSQL's German analyser does."""

from __future__ import annotations

import numpy as np
import pytest

from tars_app.adapters.passage_occurrences import Occurrences, View
from tars_app.adapters.passage_segments import Segment
from tars_app.adapters.passage_words import Forms, Word, fold, pairs_of, plain


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kündigungsfrist", "kuendigungsfrist"),
        ("kündigungsfrist", "kundigungsfrist"),
        ("ÜBERGRÖSSE", "uebergroesse"),
        ("straße", "strasse"),
        ("café", "cafe"),
        ("smørrebrød", "smorrebrod"),
    ],
)
def test_umlauts_and_accents_are_folded(first: str, second: str) -> None:
    assert fold("german", first) == fold("german", second)


@pytest.mark.parametrize("word", ["steuer", "neue", "quelle", "bauen"])
def test_letters_that_are_no_umlaut_stay(word: str) -> None:
    assert fold("german", word) == word


def test_other_languages_have_no_digraphs() -> None:
    assert fold("english", "blue") == "blue" and fold("english", "poet") == "poet"


@pytest.mark.parametrize(
    ("word", "pairs"),
    [
        ("契約書", {"契約", "約書"}),
        ("ค่าเช่า", {"ค่", "่า", "าเ", "เช", "ช่"}),
        ("猫", {"猫"}),
        ("rent", set()),
        ("abc契約", {"契約"}),
    ],
)
def test_scripts_without_spaces_are_found_by_pairs(word: str, pairs: set[str]) -> None:
    assert pairs_of(word) == pairs


def occurrences(
    *passages: str, titles: dict[str, list[int]] | None = None, hidden: tuple[int, ...] = ()
) -> Occurrences:
    """The occurrences in passages of these German stems; those of `hidden` are of another time."""
    segment = Segment(len(passages))
    postings: dict[str, tuple[bytes, bytes]] = {}
    for row, stems in enumerate(passages):
        for stem in stems.split():
            rows, times = postings.get(stem, (b"", b""))
            postings[stem] = rows + row.to_bytes(4), times + (1).to_bytes(4)
    segment.add("german", postings, ())
    every = np.arange(len(passages))
    mask = np.ones(len(passages), np.bool_)
    mask[list(hidden)] = False
    norms = np.ones(len(passages))
    view = View([], every, every, every, np.flatnonzero(mask), titles or {}, ("english", "german"), mask, norms)
    return Occurrences([segment], Forms(), view, len(passages))


def rows_of(parts: Occurrences, stem: str) -> list[int]:
    rows, times = parts.of(Word(frozenset({("german", stem), ("english", stem)})))
    return [int(row) for row in rows[np.argsort(-times, kind="stable")]]


def test_a_word_is_found_in_compounds_after_the_word_itself() -> None:
    parts = occurrences("heizkostenabrechn mai", "heiz und nebenkost", "heizkost", "nebenkost monat", "garten")
    assert rows_of(parts, "heizkost") == [2, 0, 1]


@pytest.mark.parametrize(
    ("asked", "passage", "beside", "expected"),
    [
        ("haftpflicht", "privathaftpflichtversicher", "", [0]),
        ("miet", "mietvertrag", "vertrag", [0]),
        ("miet", "vermiet", "", []),
        ("miet", "kaltmiet", "warm", []),
        ("miet", "kaltmiet", "kalt", [0]),
        ("gas", "gasrechn", "rechn", [0]),
        ("gas", "gast", "", []),
        ("versicher", "versicherungsnumm", "numm", [0]),
        ("rechnung", "abrechnung", "rechnung", [1]),
        ("rechnung", "abrechnung", "", [0]),  # nothing comes nearer
        ("kredit", "kuchenkredit", "", [0]),
        ("internetvertrag", "internet vertrag", "", [0]),
        ("kuchenkredit", "kredit kuch", "", [0]),
        ("garagenmiet", "miet garag", "", [0]),
    ],
)
def test_parts_of_words(asked: str, passage: str, beside: str, expected: list[int]) -> None:
    assert rows_of(occurrences(passage, beside), asked) == expected


def test_words_of_another_time_split_nothing() -> None:
    assert rows_of(occurrences("mietvertrag", "vertrag", hidden=(1,)), "miet") == []
    assert rows_of(occurrences("mietvertrag", "vertrag"), "miet") == [0]


def test_names_of_documents_have_parts_too() -> None:
    parts = occurrences("summ", titles={"=gasrechnung": [0], "=rechnung": [0]})
    assert rows_of(parts, "gas") == [0]


def test_identifiers_have_no_parts() -> None:
    assert len(occurrences("2024 a118").of(plain("118"))[0]) == 0
