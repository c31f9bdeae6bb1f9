# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of PDF files: in reading order, as printed, with forms and annotations, and a word about what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from tars_app.documents.parsers import process
from tars_app.documents.parsers.hyphens import join_hyphens
from tars_app.documents.parsers.model import Section, UnreadableError, pages_without_text, ranges
from tars_app.documents.parsers.pdf import MOST_PAGES, parse
from tars_app.kit.text import words

from .pdfs import assemble, columns, draw, lines, read_with_poppler, scan, stream


def texts(content: bytes) -> list[str]:
    return [section.text for section in parse(content).sections]


def test_a_pdf_is_read_page_by_page() -> None:
    parsed = process.parse("a.PDF", draw(lines("First page"), lines("Second page")))
    assert parsed.sections == [Section(1, "First page", "page 1"), Section(2, "Second page", "page 2")]
    assert parsed.notes == []


def test_the_metadata_have_a_date() -> None:
    content = draw(lines("x"))
    assert (parse(content).date, parse(content).dated_by) == ("2000-01-01", "PDF metadata")
    assert parse(content.replace(b"D:20000101", b"D:20001301")).date is None
    assert parse(content.replace(b"D:20000101", b"yesterday!")).date is None


def test_pages_without_text_are_scans() -> None:
    parsed = process.parse("a.pdf", draw(lines("Rent: 900 EUR"), *[scan()] * 4, lines("Yours sincerely")))
    assert [section.number for section in parsed.sections] == [1, 6]
    assert (parsed.scanned, parsed.pages, parsed.notes) == ([2, 3, 4, 5], 6, [])
    assert pages_without_text(parsed.scanned, parsed.pages) == "4 of 6 pages have no text: 2-5."


def test_a_scan_with_a_stamp_has_no_text_and_an_empty_page_lacks_none() -> None:
    parsed = parse(draw(lines("Rent"), scan("Scanned by X"), lines(), lines("Deposit")))
    assert (parsed.scanned, parsed.pages) == ([2], 4)
    assert "Scanned by X" in parsed.sections[1].text


def test_a_font_without_meaning_gives_no_text() -> None:
    assert "\ue001" not in (text := "".join(texts(without_meaning(b"e001")))), text
    assert parse(without_meaning(b"e001")).scanned == [1]
    assert texts(without_meaning(b"0041")) == ["ABCDEF"]


def without_meaning(first: bytes) -> bytes:
    """Return a PDF whose font has the meaning of its glyphs from a code on."""
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [<<"
        b" /Type /Font /Subtype /CIDFontType2 /BaseFont /X /FontDescriptor << /Type /FontDescriptor /FontName /X >>"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>] >>"
    )
    meaning = b"begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0001> <0006> <%s>"
    return assemble(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        stream(b"BT /F 12 Tf 72 700 Td <000100020003000400050006> Tj ET"),
        font,
        stream(meaning % first + b" endbfrange endcmap"),
    )


def test_values_of_a_form_and_annotations_are_in_the_text(tmp_path: Path) -> None:
    def form(canvas: Canvas) -> None:
        fields = canvas.acroForm
        canvas.drawString(72, 700, "Account holder")
        fields.textfield(name="holder", tooltip="Account holder", x=200, y=690, value="Erika Muster")
        fields.textfield(name="empty", x=200, y=650)
        fields.checkbox(name="newsletter", checked=True, x=72, y=600)
        fields.checkbox(name="adverts", checked=False, x=72, y=580)
        fields.radio(name="payment", value="monthly", selected=True, x=72, y=550)
        fields.radio(name="payment", value="yearly", selected=False, x=92, y=550)
        fields.choice(name="bank", options=["Sparbank", "Volksbank"], value="Volksbank", x=72, y=500)
        canvas.textAnnotation("Call the landlord first", Rect=[100, 100, 200, 200])
        canvas.freeTextAnnotation("Paid on 3 May", "/Helv 12 Tf", Rect=[100, 300, 200, 400])
        canvas.linkURL("http://example.org", (1, 1, 2, 2))

    content = draw(form)
    assert texts(content)[0].splitlines() == [
        "Account holder",
        "Account holder: Erika Muster",
        "newsletter: Yes",
        "payment: monthly",
        "bank: Volksbank",
        "Call the landlord first",
        "Paid on 3 May",
    ]
    assert "Erika Muster" in read_with_poppler(content, tmp_path)


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (("Versiche-", "rung"), "Versicherung"),
        (("RE-2024-", "0815"), "RE-2024-0815"),
        (("Number RE-", "2024"), "Number RE-2024"),
        (("by e-", "mail"), "by e-mail"),
        (("annex B-", "12"), "annex B-12"),
        (("the U-", "Bahn"), "the U-Bahn"),
        (("Kfz-", "Steuer"), "Kfz-Steuer"),
        (("Ein-", "und Ausgang"), "Ein- und Ausgang"),
        (("Price -", "twelve"), "Price -\ntwelve"),
        (("A", "- item"), "A\n- item"),
    ],
)
def test_a_hyphen_at_a_line_end_stays_where_it_is_printed_as_one(printed: tuple[str, ...], text: str) -> None:
    assert texts(draw(lines(*printed))) == [text]
    assert join_hyphens("\n".join(printed)) == text


def test_a_quotation_is_as_printed(tmp_path: Path) -> None:
    content = draw(lines("Our invoice RE-2024-", "0815 was sent by e-", "mail, see annex B-", "12."))
    [text] = texts(content)
    assert text == "Our invoice RE-2024-0815 was sent by e-mail, see annex B-12."
    assert text.replace(" ", "") == read_with_poppler(content, tmp_path).replace(" ", "")


@given(st.text(st.sampled_from("aB1- \n\u00ad\ufffe\x02ö"), max_size=60))
def test_joining_keeps_every_letter_and_digit(text: str) -> None:
    def kept(value: str) -> str:
        return "".join(character for character in value if character.isalnum())

    assert kept(join_hyphens(text)) == kept(text)


WORDS = words("the lease of the flat in the third floor ends with the month of May and may be ended by either party")


def column(name: str) -> list[str]:
    return [f"{name}{number} {' '.join(WORDS[number % 9 : number % 9 + 6])}" for number in range(12)]


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    title = "The lease of the flat as it was agreed between the parties, with its annexes and the rules of the house"
    left, right = column("L"), column("R")
    content = draw(columns(left, right, title=title))
    assert texts(content) == ["\n".join([title, *left, *right])]
    for line in (*left, *right):
        assert line in read_with_poppler(content, tmp_path), "an independent reader finds the line too"


def test_three_columns_are_read_one_after_the_other() -> None:
    narrow = [[" ".join(line.split()[:4]) for line in column(name)] for name in "ABC"]
    assert texts(draw(columns(*narrow, left=40, apart=180))) == [
        "\n".join(line for lines_of_one in narrow for line in lines_of_one)
    ]


def test_words_divided_within_a_column_are_joined() -> None:
    left = [f"{line} Versiche-" if number == 3 else line for number, line in enumerate(column("L"))]
    left[4] = f"rung {left[4]}"
    [text] = texts(draw(columns(left, column("R"))))
    assert "Versicherung L4" in text


def test_rows_of_a_table_and_fields_of_a_form_stay_in_their_rows() -> None:
    labels = ["Policy", "Name of the insured", "Date", "Street and house number of the insured", "City", "Sum", "Fee"]
    values = ["HB.12.44", "Erika Muster", "3 May 2024", "Hill Road 4", "Freiburg", "120,000 EUR", "90 EUR"]
    [text] = texts(draw(columns(labels, values)))
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        f"{label} {value}" for label, value in zip(labels, values, strict=True)
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no readable PDF"),
        (b"%PDF-1.7\nrubbish", "no readable PDF"),
        (draw(lines("secret"), encrypt="x"), "encrypted: save it without a password"),
        (draw(lines()), "has no text"),
    ],
    ids=["empty", "rubbish", "encrypted", "blank"],
)
def test_an_unreadable_pdf_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        process.parse("a.pdf", content)


def test_a_pdf_that_opens_without_a_password_is_read() -> None:
    content = draw(lines("Not for printing"), encrypt=StandardEncryption("", ownerPassword="owner", canPrint=0))
    assert texts(content) == ["Not for printing"]


def test_a_damaged_page_loses_no_other() -> None:
    pages = [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 6 0 R /Resources << /Font << /F << /Type"
             b" /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"] * 2  # fmt: skip
    kids = b"<< /Type /Pages /Kids [3 0 R 4 0 R 5 0 R] /Count 3 >>"
    text = stream(b"BT /F 12 Tf 72 700 Td (The rent) Tj ET")
    parsed = parse(assemble(b"<< /Type /Catalog /Pages 2 0 R >>", kids, pages[0], b"null", pages[1], text))
    assert [(section.number, section.text) for section in parsed.sections] == [(1, "The rent"), (3, "The rent")]
    assert parsed.notes == ["Page 2 is damaged and was not read."]


def test_of_very_many_pages_the_first_ones_are_read() -> None:
    total = 10_000
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F << /Type"
    parsed = process.parse(
        "a.pdf",
        assemble(
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [" + b"3 0 R " * total + b"] /Count %d >>" % total,
            page + b" /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
            stream(b"BT /F 12 Tf 72 700 Td (The rent) Tj ET"),
        ),
    )
    assert len(parsed.sections) == MOST_PAGES
    assert parsed.notes == [f"Only the first {MOST_PAGES} of {total} pages were read."]


def test_a_pdf_nested_in_itself_ends() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(UnreadableError):
        process.parse("a.pdf", assemble(b"<< /Type /Catalog /Pages 2 0 R >>", deep))
    with pytest.raises(UnreadableError):
        process.parse(
            "a.pdf", assemble(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>")
        )


def test_a_damaged_pdf_takes_nothing_with_it() -> None:
    whole = draw(*(lines(f"Page {number}") for number in range(20)))
    for cut in range(50, len(whole), len(whole) // 6):
        try:
            assert process.parse("a.pdf", whole[:cut] + b"\xff" * 50).sections
        except UnreadableError as error:
            assert str(error).endswith(".")


def test_ranges_of_pages() -> None:
    assert ranges([1]) == "1"
    assert ranges([1, 3, 4, 5, 9]) == "1, 3-5, 9"
