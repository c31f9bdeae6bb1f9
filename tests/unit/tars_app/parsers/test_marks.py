# SPDX-License-Identifier: GPL-3.0-or-later
"""A quotation is found among texts with boxes by its letters."""

from __future__ import annotations

import pytest

from tars_app.documents.parsers.marks import Piece, Rectangle, find_marks

LETTER, LINE = 0.01, 0.02


def lay_out(*lines: str) -> list[Piece]:
    """Return the characters of lines, each in a box of its own."""
    return [
        Piece(character, Rectangle(place * LETTER, number * LINE, (place + 1) * LETTER, (number + 1) * LINE))
        for number, line in enumerate(lines)
        for place, character in enumerate(line)
    ]


def marked(pieces: list[Piece], quotation: str, before: str = "") -> list[str]:
    """Return the texts that are marked, one for each rectangle."""
    return [
        "".join(
            piece.text
            for piece in pieces
            if rectangle.left - 1e-9 <= piece.box.left and piece.box.right <= rectangle.right + 1e-9
            if rectangle.top - 1e-9 <= piece.box.top and piece.box.bottom <= rectangle.bottom + 1e-9
        )
        for rectangle in find_marks(pieces, quotation, before)
    ]


@pytest.mark.parametrize(
    ("lines", "quotation", "expected"),
    [
        (["The rent is 800 euros."], "rent is 800", ["rent is 800"]),
        (["The rent is", "800 euros."], "The rent is 800 euros.", ["The rent is", "800 euros."]),
        (["a heat pump con-", "tract of 2024"], "heat pump contract", ["heat pump con-", "tract"]),
        (["RE-2024-", "0815 is paid"], "RE-2024-0815", ["RE-2024-", "0815"]),
        (["THE RENT"], "The rent", ["THE RENT"]),
        (["die Gebühr für Straße"], "Gebu\u0308hr für Strasse", ["Gebühr für Straße"]),
        (["the of\ufb01ce"], "office", ["of\ufb01ce"]),
        (['"Yes," he wrote (twice).'], '"Yes," he wrote (twice).', ['"Yes," he wrote (twice).']),
        (['"Yes," he wrote (twice).'], "Yes", ["Yes"]),
        (["家賃は八百です"], "八百", ["八百"]),
        (["left column          right column"], "left column right column", ["left column", "right column"]),
    ],
)
def test_a_quotation_is_covered(lines: list[str], quotation: str, expected: list[str]) -> None:
    assert [text.strip() for text in marked(lay_out(*lines), quotation)] == expected


@pytest.mark.parametrize("quotation", ["", "—", "another text", "The rent is 800 euros and more"])
def test_what_is_not_there_has_no_mark(quotation: str) -> None:
    assert find_marks(lay_out("The rent is 800 euros."), quotation) == []


def test_of_several_occurrences_it_is_the_one_after_the_text_before_it() -> None:
    pieces = lay_out("Flat: the rent is due.", "Barn: the rent is due.", "Shop: the rent is due.")
    [first] = find_marks(pieces, "the rent is due.")
    [second] = find_marks(pieces, "the rent is due.", "Flat: the rent is due. Barn: ")
    assert (first.top, second.top) == (0, LINE)


def test_words_of_text_recognition_are_marked_as_a_whole() -> None:
    words = [
        Piece("The", Rectangle(0.1, 0.1, 0.2, 0.12)),
        Piece("rent,", Rectangle(0.22, 0.1, 0.3, 0.121)),
        Piece("800", Rectangle(0.1, 0.2, 0.2, 0.22)),
    ]
    assert find_marks(words, "the rent 800") == [Rectangle(0.1, 0.1, 0.3, 0.121), Rectangle(0.1, 0.2, 0.2, 0.22)]


def test_boxes_without_a_size_are_left_out() -> None:
    pieces = [Piece("a", Rectangle(0.5, 0.5, 0.5, 0.5)), Piece("b", Rectangle(0.1, 0.1, 0.2, 0.2))]
    assert find_marks(pieces, "ab") == [Rectangle(0.1, 0.1, 0.2, 0.2)]


def test_a_long_page_takes_no_quadratic_time() -> None:
    pieces = lay_out("a" * 100_000)
    assert len(find_marks(pieces, "a" * 4000, "a" * 4000)) == 1
