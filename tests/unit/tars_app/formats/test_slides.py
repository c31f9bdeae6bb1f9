# SPDX-License-Identifier: GPL-3.0-or-later
"""Presentations, compared with what other libraries read."""

from __future__ import annotations

from io import BytesIO

import odfdo
from pptx import Presentation

from .citations import by_label, parse, quotations
from .office_files import odf, pptx, shape

TABLE = (
    "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>Item</a:t></a:r></a:p>"
    "</a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>Amount</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl>"
    "</a:graphicData></a:graphic></p:graphicFrame>"
)
SLIDES = pptx(
    shape("Last slide") + shape("3", placeholder="sldNum") + TABLE,
    shape("Second slide", "The budget is 900 €."),
    shape("First slide"),
    notes={2: "Ask about the roof."},
    hidden=1,
)


def test_slides_in_the_order_of_the_presentation() -> None:
    parsed = parse("a.pptx", SLIDES)
    assert [(section.number, section.label, section.text) for section in parsed.sections] == [
        (1, "slide 1", "First slide"),
        (2, "slide 2", "Second slide\n\nThe budget is 900 €.\n\nAsk about the roof."),
        (3, "slide 3 (hidden)", "Last slide\n\nItem\tAmount"),
    ]
    assert (parsed.date, parsed.dated_by) == ("2023-05-04", "Office metadata")


def test_quotations_of_a_slide_occur_where_python_pptx_reads_them() -> None:
    sections = by_label(parse("a.pptx", SLIDES))
    for number, slide in enumerate(Presentation(BytesIO(SLIDES)).slides, 1):
        section = next(section for label, section in sections.items() if label.startswith(f"slide {number}"))
        read = [entry.text for entry in slide.shapes.element.iter("{*}t")]
        if slide.has_notes_slide:
            read += [entry.text for entry in slide.notes_slide.shapes.element.iter("{*}t")]
        for quote in quotations(section):
            assert all(line in read for line in quote.replace("\t", "\n").splitlines()), (number, quote)


def test_the_slides_of_opendocument_with_their_notes() -> None:
    number = (
        "<draw:frame presentation:class='page-number'><draw:text-box><text:p><text:page-number>1</text:page-number>"
        "</text:p></draw:text-box></draw:frame>"
    )
    box = "<draw:frame><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
    slide = (
        "<draw:page draw:name='p{0}' draw:style-name='dp{0}'>{1}<presentation:notes>{2}</presentation:notes>"
        "</draw:page>"
    )
    content = odf(
        "presentation",
        slide.format(1, box.format("First slide"), number + box.format("Ask about the roof."))
        + slide.format(2, box.format("The budget is 900 €."), ""),
        styles='<style:style style:name="dp2" style:family="drawing-page">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>',
    )
    parsed = parse("a.odp", content)
    assert [(section.number, section.label, section.text) for section in parsed.sections] == [
        (1, "slide 1", "First slide\n\nAsk about the roof."),
        (2, "slide 2 (hidden)", "The budget is 900 €."),
    ]
    pages = odfdo.Document(BytesIO(content)).body.get_draw_pages()
    for section, page in zip(parsed.sections, pages, strict=True):
        read = [entry.inner_text for entry in page.get_elements("descendant::text:p")]
        assert all(quote in read for quote in quotations(section))
