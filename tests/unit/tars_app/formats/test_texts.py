# SPDX-License-Identifier: GPL-3.0-or-later
"""Word, OpenDocument text and RTF, compared with what other libraries read."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import docx as python_docx
import odfdo
from striprtf.striprtf import rtf_to_text

from .citations import parse, quotations
from .office_files import docx, odf, paragraph

BODY = (
    paragraph("Rent contract")
    + "<w:p><w:r><w:t xml:space='preserve'>The rent is </w:t></w:r><w:ins><w:r><w:t>900 €</w:t></w:r></w:ins>"
    "<w:del><w:r><w:delText>800 €</w:delText></w:r></w:del>"
    "<w:moveFrom><w:r><w:t>Moved away</w:t></w:r></w:moveFrom><w:r><w:t>.</w:t></w:r>"
    "<w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
    "<w:tbl><w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid>"
    f"<w:tr><w:tc>{paragraph('Item')}</w:tc><w:tc>{paragraph('Amount')}</w:tc></w:tr>"
    f"<w:tr><w:tc>{paragraph('Heating')}</w:tc><w:tc>{paragraph('120.50')}</w:tc></w:tr>"
    f"<w:tr><w:trPr><w:del/></w:trPr><w:tc>{paragraph('Deleted row')}</w:tc><w:tc>{paragraph('1')}</w:tc></w:tr>"
    f"<w:tr><w:tc><w:tcPr><w:gridSpan w:val='2'/></w:tcPr>{paragraph('Both')}</w:tc></w:tr></w:tbl>"
    f"<w:sdt><w:sdtContent>{paragraph('From a control')}</w:sdtContent></w:sdt>"
    "<w:p><w:r><w:t>With a box</w:t></w:r><w:r><w:pict><w:txbxContent>"
    f"{paragraph('In the box')}</w:txbxContent></w:pict></w:r></w:p>"
    "<w:p><w:r><w:fldChar w:fldCharType='begin'/><w:instrText>PAGE</w:instrText></w:r>"
    "<w:r><w:t>Page 1</w:t></w:r></w:p>"
)
NOTES = f"<w:footnote w:id='0' w:type='separator'>{paragraph('-----')}</w:footnote>" + (
    f"<w:footnote w:id='2'>{paragraph('Since May.')}</w:footnote>"
)


def test_a_word_document_in_the_order_in_which_it_is_read() -> None:
    parsed = parse("a.docx", docx(BODY, NOTES, paragraph("Doe &amp; Co"), paragraph("VAT 12")))
    (section,) = parsed.sections
    assert (section.number, section.label) == (0, "")
    assert section.text.split("\n\n") == [
        *("Doe & Co", "Rent contract", "The rent is 900 €.", "Since May.", "Item\tAmount\nHeating\t120.50\nBoth"),
        *("From a control", "With a box", "In the box", "Page 1", "VAT 12"),
    ]
    assert (parsed.date, parsed.dated_by) == ("2023-05-04", "Office metadata")


def test_quotations_of_a_word_document_occur_where_python_docx_reads_them() -> None:
    content = docx(paragraph("The deposit is due on 3 May. It is paid back.") + BODY, NOTES)
    document = python_docx.Document(BytesIO(content))
    read = [entry.text for entry in document.paragraphs]
    read += ["\t".join(dict.fromkeys(cell.text for cell in row.cells)) for row in document.tables[0].rows]
    places = "\n".join(read)
    quoted = quotations(parse("a.docx", content).sections[0])
    # What python-docx leaves out: text that was inserted, notes, controls and boxes.
    missing = {quote for quote in quoted if quote not in places}
    assert missing == {"The rent is 900 €.", "Since May.", "From a control", "In the box"}
    assert "The deposit is due on 3 May." in quoted


NOTE = (
    "<text:note text:note-class='footnote'><text:note-citation>1</text:note-citation><text:note-body>"
    "<text:p>Since May.</text:p></text:note-body></text:note>"
)
COMMENT = "<office:annotation><text:p>Comment</text:p></office:annotation>"


def _cell(text: str) -> str:
    return f"<table:table-cell office:value-type='string'><text:p>{text}</text:p></table:table-cell>"


ODT = (
    "<text:tracked-changes><text:changed-region><text:deletion><text:p>Old rent 800 €</text:p></text:deletion>"
    "</text:changed-region></text:tracked-changes>"
    '<text:h text:outline-level="1">Rent contract</text:h>'
    f"<text:p>The rent<text:s/> is <text:span>900 €</text:span>{NOTE} a month.{COMMENT}</text:p>"
    "<text:list><text:list-item><text:p>First item</text:p></text:list-item>"
    "<text:list-item><text:p>Second item</text:p></text:list-item></text:list>"
    "<table:table table:name='T'><table:table-header-rows><table:table-row>"
    f"{_cell('Item')}{_cell('Amount')}</table:table-row></table:table-header-rows>"
    f"<table:table-row>{_cell('Heating')}{_cell('120.50')}</table:table-row></table:table>"
)
MARGINS = (
    "<style:master-page style:name='a'><style:header><text:p>Doe and Co</text:p></style:header>"
    "<style:footer><text:p>VAT 12</text:p></style:footer></style:master-page>"
    "<style:master-page style:name='b'><style:header><text:p>Doe and Co</text:p></style:header></style:master-page>"
)


def test_an_opendocument_text_in_the_order_in_which_it_is_read() -> None:
    parsed = parse("a.odt", odf("text", ODT, master=MARGINS))
    assert parsed.sections[0].text.split("\n\n") == [
        *("Doe and Co", "Rent contract", "The rent  is 900 € a month.", "Since May.", "First item", "Second item"),
        *("Item\tAmount\nHeating\t120.50", "VAT 12"),
    ]
    assert (parsed.date, parsed.dated_by) == ("2023-05-04", "Office metadata")


def test_quotations_of_an_opendocument_text_occur_where_odfdo_reads_them() -> None:
    content = odf("text", ODT.replace(NOTE, "").replace(COMMENT, ""))
    body = odfdo.Document(BytesIO(content)).body
    read = [element.inner_text for element in [*body.get_paragraphs(), *body.get_headers()]]
    read += ["\t".join(map(str, row)) for table in body.get_tables() for row in table.iter_values()]
    quoted = quotations(parse("a.odt", content).sections[0])
    assert len(quoted) == 6
    assert all(quote in read for quote in quoted)


RTF = (
    rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset238 Arial CE;}}"
    rb"{\colortbl;\red0\green0\blue0;}{\info{\title Hidden title}{\creatim\yr2020\mo5\dy6\hr1}}"
    rb"{\header\pard Letterhead\par}{\footer\pard VAT 12\par}"
    rb"\pard Sch\'f6ne Gr\'fc\'dfe {\f1 z \'a3odzi}\par {\deleted Old rent}The rent is 900 \u8364?{\footnote\pard "
    rb"Since May.\par} a month. \u-10179?\u-8704?\par\trowd\pard\intbl Item\cell Amount\cell\row\pard\intbl "
    rb"Heating\cell 120.50\cell\row\pard {\field{\*\fldinst HYPERLINK x}{\fldrslt a link}} \{braces\}{\pict\bin4 }}}}} "
    rb"end{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt\pard In the box\par}}\par}"
)


def test_an_rtf_in_the_order_in_which_it_is_read() -> None:
    parsed = parse("a.rtf", RTF)
    assert parsed.sections[0].text.split("\n\n") == [
        *("Letterhead", "Schöne Grüße z Łodzi", "The rent is 900 € a month. \U0001f600", "Since May."),
        *("Item\tAmount\nHeating\t120.50", "a link {braces} end", "In the box", "VAT 12"),
    ]
    assert (parsed.date, parsed.dated_by) == ("2020-05-06", "Office metadata")


def test_quotations_of_an_rtf_occur_where_striprtf_reads_them() -> None:
    content = RTF.replace(rb"{\deleted Old rent}", b"").replace(rb"{\pict\bin4 }}}}}", b"")
    to_text: Callable[..., str] = rtf_to_text
    read = to_text(content.decode("latin-1"), errors="ignore").encode("utf-16", "surrogatepass").decode("utf-16")
    read = read.replace("|", "\t")
    quoted = quotations(parse("a.rtf", content).sections[0])
    # What striprtf leaves out: margins, notes and boxes.
    assert {quote for quote in quoted if quote not in read} == {"Letterhead", "Since May.", "In the box", "VAT 12"}
