# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of PDF files as pictures, and the marks of quotations, which pdftotext confirms."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from tars_app.documents.parsers import page_view, pdf
from tars_app.documents.parsers.marks import Rectangle
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.page_view import draw_page, mark_page
from tars_app.documents.parsers.pages import LONGEST_SIDE, MOST_PIXELS

from .pdfs import Drawing, assemble, columns, draw, lines, stream

LEFT = [f"The left column goes on with line {number}" for number in "abcdefgh"]
RIGHT = [f"and here the right one has line {number}" for number in "ijklmnop"]


def turned(degrees: int, crop: tuple[int, int, int, int] | None = None) -> Drawing:
    """Draw lines on a page that is shown turned and cropped."""

    def on(canvas: Canvas) -> None:
        lines("The filter must be re-", "placed every six months.")(canvas)
        canvas.setPageRotation(degrees)
        if crop:
            canvas.setCropBox(crop)

    return on


def words_by_poppler(content: bytes, folder: Path) -> list[tuple[str, Rectangle]]:
    """Return the words of the first page and their boxes as pdftotext finds them."""
    path = folder / "independent.pdf"
    path.write_bytes(content)
    command = ["pdftotext", "-bbox", "-cropbox", "-f", "1", "-l", "1", str(path), "-"]
    tree = ElementTree.fromstring(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S314  our own
    names = {"h": "http://www.w3.org/1999/xhtml"}
    page = tree.find(".//h:page", names)
    assert page is not None
    width, height = float(page.attrib["width"]), float(page.attrib["height"])
    return [
        (
            word.text or "",
            Rectangle(
                float(word.attrib["xMin"]) / width,
                float(word.attrib["yMin"]) / height,
                float(word.attrib["xMax"]) / width,
                float(word.attrib["yMax"]) / height,
            ),
        )
        for word in page.iterfind("h:word", names)
    ]


def share_covered(word: Rectangle, marks: list[Rectangle]) -> float:
    """Return which part of a word's box lies under one of the marks."""
    size = (word.right - word.left) * word.height

    def common(mark: Rectangle) -> float:
        across = min(word.right, mark.right) - max(word.left, mark.left)
        down = min(word.bottom, mark.bottom) - max(word.top, mark.top)
        return max(0.0, across) * max(0.0, down)

    return max((common(mark) for mark in marks), default=0.0) / size


@pytest.mark.parametrize(
    ("drawing", "quotation", "words"),
    [
        (lines("The rent is 800 euros.", "It is due on Monday."), "rent is 800 euros", "rent is 800 euros."),
        (
            lines("The filter must be re-", "placed every six months."),
            "must be replaced every",
            "must be re- placed every",
        ),
        (turned(0, (50, 600, 400, 800)), "The filter must be", "The filter must be"),
        (columns(LEFT, RIGHT), " ".join(LEFT[2:5]), " ".join(LEFT[2:5])),
        (columns(LEFT, RIGHT), " ".join(RIGHT[0:2]), " ".join(RIGHT[0:2])),
    ],
    ids=["line", "hyphen", "cropped", "left column", "right column"],
)
def test_the_words_of_a_quotation_are_covered_and_no_others(
    tmp_path: Path, drawing: Drawing, quotation: str, words: str
) -> None:
    content = draw(drawing)
    marks = mark_page("page.pdf", content, 1, quotation, "").marks
    by_poppler = words_by_poppler(content, tmp_path)
    covered = [text for text, box in by_poppler if share_covered(box, marks) > 0.8]
    assert sorted(covered) == sorted(words.split())
    left = [share_covered(box, marks) for text, box in by_poppler if text not in covered]
    assert all(share < 0.35 for share in left)  # boxes of neighbouring lines overlap


def test_fields_of_a_form_and_annotations_are_marked_by_their_boxes() -> None:
    def form(canvas: Canvas) -> None:
        canvas.acroForm.textfield(
            name="holder", tooltip="Account holder", x=200, y=690, width=120, height=36, value="Erika"
        )
        canvas.freeTextAnnotation("Paid on 3 May", "/Helv 12 Tf", Rect=[100, 300, 200, 400])

    content = draw(form)
    for quotation, box in (("Account holder: Erika", (200, 690, 320, 726)), ("Paid on 3 May", (100, 300, 200, 400))):
        page = mark_page("page.pdf", content, 1, quotation, "")
        [mark] = page.marks
        across, up = (mark.left * page.width, mark.right * page.width), (1 - mark.bottom, 1 - mark.top)
        sides = (across[0], up[0] * page.height, across[1], up[1] * page.height)
        assert sides == pytest.approx(box, abs=2)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_marks_turn_with_the_page(degrees: int) -> None:
    """The dark pixels of the only line of a page are under the mark."""

    def on(canvas: Canvas) -> None:
        canvas.drawString(72, 400, "The filter")
        canvas.setPageRotation(degrees)

    content = draw(on)
    [mark] = mark_page("page.pdf", content, 1, "The filter", "").marks
    with Image.open(BytesIO(draw_page("page.pdf", content, 1))) as picture:
        dark = picture.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
        assert dark
        width, height = picture.size
    left, top, right, bottom = dark[0] / width, dark[1] / height, dark[2] / width, dark[3] / height
    assert mark.left <= left + 0.005 and mark.top <= top + 0.005
    assert mark.right >= right - 0.005 and mark.bottom >= bottom - 0.005
    assert (mark.right - mark.left) * mark.height < 4 * (right - left) * (bottom - top)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((595, 842), (1240, 1755)), ((14400, 14400), (1733, 1733)), ((14400, 3), (4000, 1)), ((3, 3), (7, 7))],
)
def test_a_picture_is_never_larger_than_its_bounds(size: tuple[int, int], expected: tuple[int, int]) -> None:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] >>" % size
    content = assemble(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page)
    with Image.open(BytesIO(draw_page("page.pdf", content, 1))) as picture:
        picture.load()
        assert picture.width * picture.height <= MOST_PIXELS + sum(picture.size) and max(picture.size) <= LONGEST_SIDE
        assert all(abs(found - wanted) <= 1 for found, wanted in zip(picture.size, expected, strict=True))
        assert picture.getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_has_the_colours_of_the_page() -> None:
    def on(canvas: Canvas) -> None:
        canvas.setFillColorRGB(1, 0, 0)
        canvas.rect(0, 421, 595, 421, fill=1, stroke=0)
        canvas.setFillColorRGB(0, 0, 1)
        canvas.rect(0, 0, 595, 421, fill=1, stroke=0)

    with Image.open(BytesIO(draw_page("page.pdf", draw(on), 1))) as picture:
        assert picture.getpixel((600, 400)) == (255, 0, 0) and picture.getpixel((600, 1400)) == (0, 0, 255)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_is_drawn_upright(orientation: int) -> None:
    image = Image.new("RGB", (60, 40), "red")
    image.paste("blue", (0, 0, 60, 20))
    out, data = BytesIO(), Image.Exif()
    data[0x0112] = orientation  # 6: turned by 90 degrees to the right
    image.save(out, "PNG", exif=data)
    size = (60, 40) if orientation == 1 else (40, 60)
    with Image.open(BytesIO(draw_page("a.png", out.getvalue(), 1))) as picture:
        assert picture.size == size
        assert picture.getpixel((size[0] - 2, 2)) == (0, 0, 255)
        assert picture.getpixel((2, size[1] - 2)) == (255, 0, 0)
    page = mark_page("a.png", out.getvalue(), 1, "The rent", "")
    assert (page.width, page.height, page.marks) == (*size, [])


def image_of(width: int, height: int) -> bytes:
    """Return a PDF with a picture of this size, of which the pixels compress to almost nothing."""
    data = zlib.compress(bytes(1024)) if width * height > 10**9 else zlib.compress(bytes(width * height))
    head = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode"
    picture = b"<< %s /Width %d /Height %d /Length %d >>\nstream\n%s\nendstream" % (
        head,
        width,
        height,
        len(data),
        data,
    )
    resources = b"/Contents 5 0 R /Resources << /XObject << /I 4 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] %s >>" % resources
    return assemble(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        picture,
        stream(b"q 595 0 0 842 0 0 cm /I Do Q"),
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "no PDF": lambda: b"%PDF-1.7 and nothing else",
    "empty": lambda: b"",
    "encrypted": lambda: draw(lines("The rent"), encrypt=StandardEncryption("secret", canPrint=0)),
    "cut": lambda: (whole := draw(*[lines("The rent")] * 30))[: len(whole) // 3],
    "no such page": lambda: assemble(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_shown_has_a_reason(name: str) -> None:
    content = HOSTILE[name]()
    for show in (lambda: draw_page("page.pdf", content, 1), lambda: mark_page("page.pdf", content, 1, "The rent", "")):
        with pytest.raises(UnreadableError, match=r"\.$"):
            show()


@pytest.mark.parametrize("size", [(50_000, 50_000), (1_000_000, 1_000_000)])
def test_a_huge_picture_ends_in_a_picture_or_a_reason(size: tuple[int, int]) -> None:
    try:
        content = draw_page("page.pdf", image_of(*size), 1)
    except UnreadableError as error:
        assert str(error).endswith(".")
    else:
        Image.open(BytesIO(content)).verify()


@pytest.mark.parametrize(
    "result",
    [
        {"width": 10, "height": 10, "pixels": ""},
        {"width": -1, "height": -1, "pixels": "AAAA"},
        {"width": 10**9, "height": 1, "pixels": "AAAA"},
        {"width": 1, "height": 1, "pixels": "no base64!"},
        {"width": 1, "height": 1},
    ],
)
def test_only_pixels_that_fit_become_a_picture(result: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        page_view._pixels(result)


@pytest.mark.parametrize(
    "mark",
    [
        {"left": -1, "top": 0, "right": 1, "bottom": 1},
        {"left": float("nan"), "top": 0, "right": 1, "bottom": 1},
        {"left": 0, "top": 0, "right": 1e9, "bottom": 1},
        {"left": 0, "top": 0},
    ],
)
def test_only_marks_on_the_page_are_used(mark: dict[str, float]) -> None:
    with pytest.raises((ValueError, KeyError)):
        page_view._marked({"width": 10, "height": 10, "marks": [mark]})


def test_every_quotation_of_a_page_is_found() -> None:
    """Each sentence that the parser reads can be marked, also where words are divided and columns stand beside."""
    content = draw(
        columns(LEFT, RIGHT, title="A title over both columns, which is long"), lines("Over-", "come word", "end")
    )
    for section in pdf.parse(content).sections:
        for line in section.text.split("\n"):
            assert mark_page("page.pdf", content, section.number, line, "").marks, line
