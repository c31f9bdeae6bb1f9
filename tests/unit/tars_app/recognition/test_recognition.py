# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of scanned pages, and where its words stand."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tars_app.documents.parsers import process
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.model import RecognizedPage, UnreadableError
from tars_app.documents.parsers.recognition.boxes import WordBox, decode
from tars_app.documents.parsers.recognition.models import Models
from tars_app.documents.parsers.recognition.page import recognize

from ....letters import DPI, FONTS, LETTERS, error_rate, noisy, page, rotated, written
from ..parsers.pdfs import draw, lines

A_BOX_MAY_MISS = 0.012
"""Share of a side of the page."""


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(threads=2)


@cache
def printed(words: str, x: int, y: int) -> Image.Image:
    """Return a page that has nothing but some words at a place."""
    image = Image.new("L", (1654, 2339), 255)
    ImageDraw.Draw(image).text((x, y), words, font=ImageFont.truetype(FONTS / "DejaVuSans.ttf", 31), fill=0)
    return image


def boxes_of(page: RecognizedPage, quotation: str) -> list[WordBox]:
    """Return the boxes of the words of a quotation."""
    start = page.text.index(quotation)
    end = start + len(quotation)
    return [word for word in decode(page.boxes) if word.start < end and word.end > start]


def around(boxes: list[WordBox]) -> tuple[float, float, float, float]:
    return (
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


@pytest.mark.parametrize("language", LETTERS)
def test_a_clean_letter(models: Models, language: str) -> None:
    text = recognize(page(LETTERS[language]).convert("RGB"), models).text
    assert error_rate(LETTERS[language], text) <= 0.01, text


@pytest.mark.parametrize("language", LETTERS)
def test_a_noisy_letter_that_lay_askew(models: Models, language: str) -> None:
    image = noisy(rotated(page(LETTERS[language], "DejaVuSerif"), 2))
    text = recognize(image.convert("RGB"), models).text
    assert error_rate(LETTERS[language], text) <= 0.04, text


@pytest.mark.parametrize("quarters", [2, 3])
def test_a_page_on_its_side_or_head(models: Models, quarters: int) -> None:
    letter = page("\n".join(LETTERS["German"].splitlines()[:3]), points=14).crop((0, 0, 1654, 700))
    turned = letter.rotate(90 * quarters, expand=True)
    result = recognize(turned.convert("RGB"), models)
    assert "Königsallee 12 beträgt" in result.text
    left, top, right, bottom = around(boxes_of(result, "Frau Müller"))
    width, height = right - left, bottom - top
    # The first line is at the bottom now, or runs down on the right.
    assert top > 0.5 if quarters == 2 else left > 0.5 and height > width


def test_words_have_the_place_where_they_are_printed(models: Models) -> None:
    words, x, y = "Die Kündigung wird am 31. Dezember wirksam", 300, 900
    result = recognize(printed(words, x, y).convert("RGB"), models)
    assert result.text == words
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", 31)
    boxes = boxes_of(result, "am 31. Dezember")
    assert [result.text[box.start : box.end] for box in boxes] == ["am", "31.", "Dezember"]
    begin = x + font.getlength("Die Kündigung wird ")
    end = begin + font.getlength("am 31. Dezember")
    left, top, right, bottom = around(boxes)
    assert abs(left * 1654 - begin) < A_BOX_MAY_MISS * 1654 and abs(right * 1654 - end) < A_BOX_MAY_MISS * 1654
    assert top * 2339 < y + 10 and bottom * 2339 > y + 25 and bottom - top < 0.03
    assert all(after.left > before.left for before, after in pairwise(boxes))


def test_a_divided_word_is_in_one_piece_and_has_two_boxes(models: Models) -> None:
    image = page("Wir kündigen die Hausrat-\nversicherung zum Ende des Jahres.", points=14)
    result = recognize(image.crop((0, 0, 1654, 600)).convert("RGB"), models)
    assert result.text == "Wir kündigen die Hausratversicherung zum Ende des Jahres."
    first, second = boxes_of(result, "Hausratversicherung")
    assert (result.text[first.start : first.end], result.text[second.start : second.end]) == ("Hausrat", "versicherung")
    assert first.left > second.left and first.top < second.top


def drawn(*texts: tuple[int, int, str]) -> Image.Image:
    """Return a page with texts at these places."""
    image = Image.new("RGB", (1654, 900), "white")
    drawing, font = ImageDraw.Draw(image), ImageFont.truetype(FONTS / "DejaVuSans.ttf", 30)
    for x, y, text in texts:
        drawing.text((x, y), text, font=font, fill="black")
    return image


def test_columns_are_read_one_after_the_other(models: Models) -> None:
    left = [(150, 100 + 50 * number, f"Left column of this page, line {number}") for number in range(6)]
    right = [(900, 100 + 50 * number, f"Right column of this page, line {number}") for number in range(6)]
    text = recognize(drawn(*left, *right), models).text
    assert text == "\n\n".join("\n".join(line for _, _, line in column) for column in (left, right))


def test_rows_of_a_table_are_read_across(models: Models) -> None:
    table = [(150, 100, "Strom"), (1100, 100, "84,20"), (150, 150, "Gas"), (1100, 152, "112,70"), (150, 300, "Danke")]
    assert recognize(drawn(*table), models).text == "Strom\t84,20\nGas\t112,70\n\nDanke"


def test_an_empty_page_has_no_text(models: Models) -> None:
    assert recognize(Image.new("RGB", (1654, 2339), "white"), models) == RecognizedPage("", b"")


def test_a_page_is_recognised_in_a_confined_process() -> None:
    letter = page("The deposit is 1,500 EUR.\nIt is paid back in May.", points=14).crop((0, 0, 1654, 500))
    for name, content in (("scan.png", written(letter)), ("scan.pdf", written(letter, "PDF", resolution=DPI))):
        assert process.parse(name, content).scanned == [1]
        result = process.recognize(name, content, 1)
        assert "The deposit is 1,500 EUR." in result.text, name
        assert boxes_of(result, "1,500 EUR")


def test_nothing_is_collected_about_the_use_of_the_models(tmp_path: Path) -> None:
    """ONNX Runtime collects what it reports to its maker in a database below the home."""
    program = """
import numpy as np
from tars_app.documents.parsers.recognition.models import Models
Models(threads=1).likelihood(np.zeros((64, 64, 3), np.uint8))
"""
    environment = {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []


def test_a_page_that_exceeds_a_limit_or_is_missing_has_a_reason() -> None:
    letter = written(page("The deposit"))
    with pytest.raises(UnreadableError, match="more than 1 s of processor time"):
        process.recognize("scan.png", written(noisy(page(LETTERS["German"] * 8, points=8))), 1, Limits(2 * 1024**3, 1))
    with pytest.raises(UnreadableError):
        process.recognize("scan.png", letter, 1, Limits(memory_bytes=400 * 1024**2))
    with pytest.raises(UnreadableError, match="damaged"):
        process.recognize("scan.png", letter, 2)
    with pytest.raises(UnreadableError, match="damaged"):
        process.recognize("a.pdf", draw(lines("x")), 2)
