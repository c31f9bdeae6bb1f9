# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of HTML and books, compared with what the standard library reads."""

from __future__ import annotations

from html.parser import HTMLParser
from io import BytesIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from tars_app.documents.parsers.model import UnreadableError

from .citations import parse, quotations
from .office_files import archive

PAGE = """<!DOCTYPE html><html><head><title>The rent, 2024</title><style>p {}</style>
<meta property="article:published_time" content="2024-02-03T10:00:00Z"></head><body>
<nav><a>Home</a></nav><header>Doe &amp; Co</header><main><h1>Rent</h1>
<p>The rent is <b>900&nbsp;€</b> a
month.<br>It is due on 3 May.</p><ul><li>Heating<li>Water</ul>
<table><tr><th>Item<th>Amount<tr><td>Heating<td>120.50<tr><td colspan=2>Total</table>
<table><tr><td><p>Layout</p><table><tr><td>x<td>y</table></table>
<p hidden>Hidden</p><p style="display: none">Hidden too</p><script>alert(1)</script><pre>a
  b</pre></main><footer>Imprint</footer></body></html>"""


def test_the_main_text_of_a_page() -> None:
    parsed = parse("a.html", PAGE.encode())
    (section,) = parsed.sections
    assert section.header == "The rent, 2024"
    assert section.text.split("\n\n") == [
        *("Rent", "The rent is 900\xa0€ a month.\nIt is due on 3 May.", "Heating", "Water"),
        *("Item\tAmount\nHeating\t120.50\nTotal", "Layout", "x\ty", "a\n  b"),
    ]
    assert (parsed.date, parsed.dated_by) == ("2024-02-03", "page metadata")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_quotations_of_a_page_occur_where_the_standard_library_reads_them() -> None:
    reader = _Reader()
    reader.feed(PAGE)
    read = "".join(reader.text.split())
    quoted = quotations(parse("a.html", PAGE.encode()).sections[0])
    assert len(quoted) > 8
    assert all("".join(quote.split()) in read for quote in quoted)


def test_a_page_without_main_text_is_read_whole() -> None:
    page = b"<body><div>Menu</div><p>Text</p><main></main><footer>VAT 12</footer></body>"
    assert parse("a.htm", page).sections[0].text == "Menu\n\nText\n\nVAT 12"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="iso-8859-1">', "iso-8859-1"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "windows-1251"),
        ('<meta charset="iso-8859-1">', "utf-8"),
        ("", "utf-16"),
        ("", "utf-8-sig"),
        ('<?xml version="1.0" encoding="iso-8859-1"?>', "iso-8859-1"),
    ],
)
def test_the_encoding_of_a_page(head: str, encoding: str) -> None:
    text = "Привет" if encoding == "windows-1251" else "Grüße"
    page = f"{head}<html><body><p>{text} an alle</p></body></html>"
    assert parse("a.html", page.encode(encoding)).sections[0].text == f"{text} an alle"


def test_a_page_that_is_nested_deeply_loses_no_text() -> None:
    deep = b"<p>Deep</p>text<script>x</script>"
    for levels in (1, 100, 140, 160, 2000):
        page = b"<div>" * levels + deep + b"</div>" * levels + b"<p>After</p>"
        assert parse("a.html", page).sections[0].text.split() == ["Deep", "text", "After"]
    with pytest.raises(UnreadableError, match="nested deeper"):
        parse("a.html", b"<div>" * 3000 + deep)


CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:date>2019-03-01</dc:date></metadata><manifest><item id="b" href="b.xhtml"/>'
    '<item id="a" href="text/a%20b.xhtml"/><item id="c" href="gone.xhtml"/></manifest>'
    '<spine><itemref idref="b"/><itemref idref="a"/><itemref idref="c"/></spine></package>'
)
XHTML = (
    '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
    "<head><title/></head><body>{}</body></html>"
)
BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/text/a b.xhtml": XHTML.format("<p>The end&nbsp;of it.</p>"),
    "OEBPS/b.xhtml": XHTML.format("<h2>The <i>beginning</i></h2><p>It was a dark night.</p>"),
}


def test_the_chapters_of_a_book_in_the_order_of_its_spine() -> None:
    parsed = parse("a.epub", archive(BOOK))
    assert [(section.number, section.label, section.text) for section in parsed.sections] == [
        (1, "chapter 1: The beginning", "The beginning\n\nIt was a dark night."),
        (2, "chapter 2", "The end\xa0of it."),
    ]
    assert (parsed.date, parsed.dated_by) == ("2019-03-01", "book metadata")
    assert parsed.notes == ["1 of 3 chapters are missing in the file."]


def test_quotations_of_a_chapter_occur_in_its_part() -> None:
    content = archive(BOOK)
    with ZipFile(BytesIO(content)) as book:
        names = ["OEBPS/b.xhtml", "OEBPS/text/a b.xhtml"]
        pages = [book.read(name).decode().replace("&nbsp;", "\xa0").partition("?>")[2] for name in names]
    for section, page in zip(parse("a.epub", content).sections, pages, strict=True):
        read = "".join(ElementTree.fromstring(page).itertext())  # noqa: S314  made by this test
        assert all(quote in read for quote in quotations(section))


def test_a_protected_book_is_refused_and_obscured_fonts_are_not() -> None:
    encryption = '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
    fonts = archive({**BOOK, "META-INF/encryption.xml": encryption.format("http://www.idpf.org/2008/embedding")})
    assert len(parse("a.epub", fonts).sections) == 2
    with pytest.raises(UnreadableError, match="protected"):
        parse("a.epub", archive({**BOOK, "META-INF/encryption.xml": encryption.format("urn:aes")}))
