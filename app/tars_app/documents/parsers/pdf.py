# SPDX-License-Identifier: GPL-3.0-or-later
"""PDF: the text of each page in reading order, the values of forms, and annotations.

Pages whose text is missing or cannot be used are returned as scanned; damaged ones are named in a note.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tars_app.documents.parsers.columns import Box, reading_order
from tars_app.documents.parsers.hyphens import join_hyphens
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError, ranges

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PAGES = 5000
_MOST_ANNOTATIONS = 2000
"""Of a page."""
_RUBBISH = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff\U000f0000-\U0010ffff]")
"""Characters of fonts that do not say what their glyphs mean."""
_MOST_RUBBISH = 0.3
_SPACE = re.compile(r"\s+")
_FEW_CHARACTERS = 40
"""A page with fewer, and a picture on most of it, is a scan on which something was stamped."""
_MOST_OF_PAGE = 0.6
_POINTS_PER_INCH = 72
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


def parse(content: bytes) -> Parsed:
    """Return the text of a PDF, page by page.

    Raises:
        UnreadableError: it is damaged, encrypted, or has no text.
    """
    document = open_pdf(content)
    document.init_forms()
    total = len(document)
    sections: list[Section] = []
    empty, damaged = [], []
    for number in range(1, min(total, MOST_PAGES) + 1):
        try:
            text, is_missing = _read_page(document, number - 1)
        except pdfium.PdfiumError:
            damaged.append(number)
            continue
        if is_missing:
            empty.append(number)
        sections.append(Section(number, text, f"page {number}"))
    if total and len(damaged) == min(total, MOST_PAGES):
        raise UnreadableError("All pages of the PDF are damaged. Save it again with another program.")
    notes = list(_notes(total, damaged))
    return Parsed(sections, _metadata_date(document), "PDF metadata", notes, empty, total)


def render(content: bytes, number: int, most_pixels: int, most_dpi: float) -> Image:
    """Return a page, from 1, as a picture of at most this size and resolution.

    Raises:
        UnreadableError: the page is damaged, or has no area.
    """
    document = open_pdf(content)
    document.init_forms()
    try:
        page = document[number - 1]
        area = page.get_width() * page.get_height()
        if area <= 0:
            raise UnreadableError("The page has no area.")
        scale = min(math.sqrt(most_pixels / area), most_dpi / _POINTS_PER_INCH)
        picture: Image = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
        return picture
    except (pdfium.PdfiumError, ValueError) as error:
        raise UnreadableError("The page is damaged.") from error


def open_pdf(content: bytes) -> pdfium.PdfDocument:
    """Return a PDF. Raises UnreadableError where it is encrypted, or is not a PDF."""
    try:
        return pdfium.PdfDocument(content)  # with the empty password of a reader, where it needs one
    except pdfium.PdfiumError as error:
        reason = str(error).lower()
        if "password" in reason or "security" in reason:
            raise UnreadableError("The PDF is encrypted: save it without a password to have it read.") from None
        raise UnreadableError("The file contains no readable PDF data.") from None


def _read_page(document: pdfium.PdfDocument, index: int) -> tuple[str, bool]:
    """Return the text of a page, and whether text is missing: there is something on the page, but none or rubbish."""
    page = document[index]
    text_page = page.get_textpage()
    try:
        text = join_hyphens(_in_order(text_page))
        additions = "\n".join(dict.fromkeys(text for text, _ in read_additions(document, page) if text))
        characters = len(_SPACE.sub("", text))
        if characters and len(_RUBBISH.findall(text)) > _MOST_RUBBISH * characters:
            return additions, True
        is_missing = not additions and (
            _is_scan(page) if 0 < characters < _FEW_CHARACTERS else not characters and _has_objects(page)
        )
        return _RUBBISH.sub("", "\n".join(filter(None, (text, additions)))), is_missing
    finally:
        text_page.close()
        page.close()


def _in_order(text_page: pdfium.PdfTextPage) -> str:
    """Return the text of a page, column by column where it has some."""
    text = _plain(text_page.get_text_range())
    areas = reading_order([Box(*text_page.get_rect(index)) for index in range(text_page.count_rects())])
    if not areas:
        return text
    parts = [_plain(text_page.get_text_bounded(area.left, area.bottom, area.right, area.top)) for area in areas]
    ordered = "\n".join(line.rstrip(" ") for part in parts for line in part.strip().split("\n"))
    written, read = _characters(text), _characters(ordered)
    # Boxes that overlap give a character twice, and one outside of all would be lost.
    return ordered if read != written and Counter(read) == Counter(written) else text


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _characters(text: str) -> str:
    return re.sub("[\\s\x02\ufffe\u00ad-]", "", text)


def read_additions(document: pdfium.PdfDocument, page: pdfium.PdfPage) -> Iterator[tuple[str, Box]]:
    """Yield the values of a page's form fields with their names, and the texts of its annotations, with their boxes."""
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _MOST_ANNOTATIONS)):
        if not (annotation := raw.FPDFPage_GetAnnot(page, index)):
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            box = _box_of(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and document.formenv:
                yield _field(document.formenv, annotation), box
            elif kind not in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
                yield _string(lambda *to, of=annotation: raw.FPDFAnnot_GetStringValue(of, b"Contents", *to)), box
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _box_of(annotation: raw.FPDF_ANNOTATION) -> Box:
    rectangle = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rectangle)  # leaves zeros where it has none
    return Box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)


_SWITCHES = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_VALUES = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)


def _field(form: pdfium.PdfFormEnv, annotation: raw.FPDF_ANNOTATION) -> str:
    """Return name and value of a form field; empty for one without a value, and for a button that is off."""
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _SWITCHES:
        read = raw.FPDFAnnot_GetFormFieldExportValue if raw.FPDFAnnot_IsChecked(form, annotation) else None
    else:
        read = raw.FPDFAnnot_GetFormFieldValue if kind in _VALUES else None
    value = _string(lambda *to: read(form, annotation, *to)) if read else ""
    if not value:
        return ""
    name = _string(lambda *to: raw.FPDFAnnot_GetFormFieldAlternateName(form, annotation, *to))
    name = name or _string(lambda *to: raw.FPDFAnnot_GetFormFieldName(form, annotation, *to)).rsplit(".", 1)[-1]
    return f"{name}: {value}" if name else value


def _string(read: Callable[..., int]) -> str:
    """Return a text of PDFium, whose function gives the size in bytes first (UTF-16 with a terminating zero)."""
    size = read(None, 0)
    buffer = ctypes.create_string_buffer(size)
    read(ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return _plain(buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace")).strip()


def _has_objects(page: pdfium.PdfPage) -> bool:
    return bool(raw.FPDFPage_CountObjects(page) > 0)


def _is_scan(page: pdfium.PdfPage) -> bool:
    area = page.get_width() * page.get_height()
    for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=2):
        left, bottom, right, top = picture.get_bounds()
        if (right - left) * (top - bottom) >= _MOST_OF_PAGE * area:
            return True
    return False


def _metadata_date(document: pdfium.PdfDocument) -> str | None:
    """Return the day on which the PDF was made or last changed, None where its metadata have none."""
    for key in ("CreationDate", "ModDate"):
        if match := _DATE.match(document.get_metadata_value(key) or ""):
            try:
                return date(*map(int, match.groups())).isoformat()
            except ValueError:
                continue
    return None


def _notes(total: int, damaged: Sequence[int]) -> Iterator[str]:
    if total > MOST_PAGES:
        yield f"Only the first {MOST_PAGES} of {total} pages were read."
    if len(damaged) == 1:
        yield f"Page {damaged[0]} is damaged and was not read."
    elif damaged:
        yield f"Pages {ranges(damaged)} are damaged and were not read."
