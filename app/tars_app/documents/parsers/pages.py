# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of a PDF, a scan or a photo as a picture, and where a quotation stands on it.

To be called in a process with limits.
"""

from __future__ import annotations

import base64
import ctypes
import math
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tars_app.documents.parsers.columns import Box, reading_order
from tars_app.documents.parsers.marks import Piece, Rectangle, find_marks
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.pdf import open_pdf, read_additions
from tars_app.documents.parsers.registry import is_picture

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_PER_POINT = 150 / 72
MOST_PIXELS = 3_000_000
"""Of a picture: a page of A4 has 2.2 million. Larger pages are drawn smaller."""
LONGEST_SIDE = 4000
_PIXELS_FOR_SIZE = 1_000_000
_MOST_CHARACTERS = 100_000
"""Of a page, that are searched for a quotation."""
_STEPS = 1_000_000
"""In which positions on a page are counted."""


def draw(content: bytes, name: str, number: int) -> dict[str, Any]:
    """Return page `number`, from 1, as a picture: width and height, and its pixels as red, green and blue (base64).

    `name` is that of the file, of which the suffix counts.

    Raises:
        UnreadableError: the file or the page is damaged, encrypted, or not there.
    """
    if is_picture(name):
        image = _render_picture(content, number, MOST_PIXELS)
        return {"width": image.width, "height": image.height, "pixels": base64.b64encode(image.tobytes()).decode()}
    _, page = _open_page(content, number)
    width, height = page.get_size()
    scale = min(PIXELS_PER_POINT, math.sqrt(MOST_PIXELS / (width * height)), LONGEST_SIDE / max(width, height))
    bitmap = page.render(scale=scale, rev_byteorder=True)
    row_bytes = 3 * bitmap.width
    if bitmap.n_channels != 3:
        raise UnreadableError(f"The page was drawn with {bitmap.n_channels} colour channels, expected 3.")
    pixels = memoryview(bitmap.buffer)
    rows = b"".join(pixels[row * bitmap.stride : row * bitmap.stride + row_bytes] for row in range(bitmap.height))
    return {"width": bitmap.width, "height": bitmap.height, "pixels": base64.b64encode(rows).decode()}


def mark(content: bytes, name: str, number: int, quotation: str, before: str) -> dict[str, Any]:
    """Return the width and height of page `number` in points, and the rectangles that cover a quotation on it.

    A scan or photo has no text, and so no rectangles; its size is that of a small picture of it.

    Raises:
        UnreadableError: as `draw`.
    """
    if is_picture(name):
        image = _render_picture(content, number, _PIXELS_FOR_SIZE)
        return {"width": image.width, "height": image.height, "marks": []}
    document, page = _open_page(content, number)
    width, height = page.get_size()
    characters = list(_characters(page))
    additions = [Piece(text, _on_page(page, box)) for text, box in read_additions(document, page)]
    marks = find_marks([*(piece for piece, _ in characters), *additions], quotation, before)
    if not marks:
        marks = find_marks([*_in_columns(page, characters), *additions], quotation, before)
    return {"width": width, "height": height, "marks": [asdict(rectangle) for rectangle in marks]}


def _render_picture(content: bytes, number: int, most_pixels: int) -> Image:
    picture = import_module("tars_app.documents.parsers.picture")  # in memory already, where the file is one
    image: Image = picture.render(content, number, most_pixels, 1.0)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return image


def _open_page(content: bytes, number: int) -> tuple[pdfium.PdfDocument, pdfium.PdfPage]:
    document = open_pdf(content)
    document.init_forms()
    if number > len(document):
        raise UnreadableError(f"The PDF has {len(document)} pages, and no page {number}.")
    try:
        page = document[number - 1]
    except pdfium.PdfiumError:
        raise UnreadableError(f"Page {number} of the PDF is damaged.") from None
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise UnreadableError(f"Page {number} of the PDF is damaged: found a size of {width:g} x {height:g} points.")
    return document, page


def _characters(page: pdfium.PdfPage) -> Iterator[tuple[Piece, Box]]:
    """Yield the characters of the text layer with their boxes, as shares of the page and as the PDF has them."""
    text_page = page.get_textpage()
    for index in range(min(text_page.count_chars(), _MOST_CHARACTERS)):
        try:
            left, bottom, right, top = text_page.get_charbox(index, loose=True)
        except pdfium.PdfiumError:  # a space that PDFium has added
            continue
        box = Box(left, bottom, right, top)
        yield Piece(chr(raw.FPDFText_GetUnicode(text_page, index)), _on_page(page, box)), box


def _on_page(page: pdfium.PdfPage, box: Box) -> Rectangle:
    """Return a box in the coordinates of the PDF as shares of the page as it is shown: cropped and rotated."""
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for across, up in ((box.left, box.top), (box.right, box.bottom)):
        raw.FPDF_PageToDevice(page, 0, 0, _STEPS, _STEPS, 0, across, up, ctypes.byref(x), ctypes.byref(y))
        corners.append((_share(x.value), _share(y.value)))
    (first_x, first_y), (second_x, second_y) = corners
    return Rectangle(min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y))


def _share(steps: int) -> float:
    return min(1.0, max(0.0, steps / _STEPS))


def _in_columns(page: pdfium.PdfPage, characters: list[tuple[Piece, Box]]) -> list[Piece]:
    """Return the characters column by column, as the parser reads them; none where the page has no columns."""
    text_page = page.get_textpage()
    areas = reading_order([Box(*text_page.get_rect(index)) for index in range(text_page.count_rects())])
    return [piece for area in areas for piece, box in characters if _is_in(box, area)]


def _is_in(box: Box, area: Box) -> bool:
    centre = (box.left + box.right) / 2
    return area.left <= centre <= area.right and area.bottom <= box.middle <= area.top
