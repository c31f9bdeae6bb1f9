# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of pictures in Office documents is recognised, and cited with its place; written by other libraries."""

from __future__ import annotations

import random
from io import BytesIO

import docx
import odfdo
import pptx
import pytest
from PIL import Image
from pptx.util import Cm

from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.office import pictures

from ....letters import page, written
from .citations import parse

RENT, DEPOSIT = "The rent is 910 EUR.", "The deposit is due."


def picture(text: str, seed: int = 1) -> bytes:
    """Return a scanned part of a page, with a margin of noise, so that it has the size of a real one."""
    image = page(text, points=14).crop((0, 0, 1654, 400))
    noise = random.Random(seed).randbytes(1654 * 30)
    image.paste(Image.frombytes("L", (1654, 30), noise), (0, 370))
    return written(image)


def word() -> bytes:
    document, file = docx.Document(), BytesIO()
    document.add_paragraph("The letter of the landlord:")
    for content in (picture(RENT), written(Image.new("L", (50, 50))), picture(RENT), picture(DEPOSIT, 2)):
        document.add_picture(BytesIO(content))
    document.save(file)
    return file.getvalue()


def slides() -> bytes:
    presentation, file = pptx.Presentation(), BytesIO()
    for content in (None, picture(RENT), picture(DEPOSIT, 2)):
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = "The flat"
        if content:
            slide.shapes.add_picture(BytesIO(content), Cm(1), Cm(5))
    presentation.save(file)
    return file.getvalue()


def open_text() -> bytes:
    document, file = odfdo.Document("text"), BytesIO()
    document.body.clear()
    for number, content in enumerate((picture(RENT), picture(DEPOSIT, 2))):
        paragraph = odfdo.Paragraph("The letter:")
        name = f"Pictures/{number}.png"
        assert document.container
        document.container.set_part(name, content)
        paragraph.append(odfdo.Frame.image_frame(name, size=("10cm", "3cm"), anchor_type="as-char"))
        document.body.append(paragraph)
    document.save(file)
    return file.getvalue()


def open_slides() -> bytes:
    document, file = odfdo.Document("presentation"), BytesIO()
    document.body.clear()
    for number, content in enumerate((None, picture(RENT), picture(DEPOSIT, 2)), 1):
        slide = odfdo.DrawPage(f"page{number}", name=f"page{number}")
        slide.append(odfdo.Frame.text_frame("The flat", size=("10cm", "2cm")))
        if content:
            name = f"Pictures/{number}.png"
            assert document.container
            document.container.set_part(name, content)
            slide.append(odfdo.Frame.image_frame(name, size=("10cm", "3cm"), position=("1cm", "5cm")))
        document.body.append(slide)
    document.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "first", "labels"),
    [
        ("a.docx", word(), 1, ["picture 1, recognised", "picture 2, recognised"]),
        ("a.pptx", slides(), 4, ["slide 2, picture, recognised", "slide 3, picture, recognised"]),
        ("a.odt", open_text(), 1, ["picture 1, recognised", "picture 2, recognised"]),
        ("a.odp", open_slides(), 4, ["slide 2, picture, recognised", "slide 3, picture, recognised"]),
    ],
    ids=["Word", "PowerPoint", "OpenDocument text", "OpenDocument presentation"],
)
def test_pictures_are_recognised_in_their_order(name: str, content: bytes, first: int, labels: list[str]) -> None:
    parsed = process.parse(name, content)
    assert [place.label for place in parsed.places] == labels and not parsed.notes
    assert parsed.scanned == [place.number for place in parsed.places] == [first, first + 1]
    assert parsed.pages == first + 1 and parsed.sections[-1].number == first - 1
    recognized = [process.recognize(name, content, number).text for number in parsed.scanned]
    assert [RENT in recognized[0], DEPOSIT in recognized[1]] == [True, True], recognized
    with pytest.raises(UnreadableError, match="picture is not in the file"):
        process.recognize(name, content, first + 2)


def test_further_pictures_are_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PICTURES", 1)
    parsed = parse("a.docx", word())
    assert len(parsed.places) == 1 and parsed.notes == ["The text of 1 further pictures is not recognised."]


@pytest.mark.parametrize(
    ("form", "reason"), [("BMP", "unpacks to more than 48 MiB"), ("PNG", "9,000 x 9,000 pixels; more than 80 million")]
)
def test_a_picture_that_is_too_large_is_a_fault_of_that_page_alone(form: str, reason: str) -> None:
    document, file = docx.Document(), BytesIO()
    document.add_paragraph("The letter of the landlord:")
    document.add_picture(BytesIO(written(Image.new("L", (9000, 9000)), form)))
    document.save(file)
    parsed = process.parse("a.docx", file.getvalue())
    assert parsed.sections[0].text == "The letter of the landlord:" and parsed.scanned == [1]
    with pytest.raises(UnreadableError, match=reason):
        process.recognize("a.docx", file.getvalue(), 1)
