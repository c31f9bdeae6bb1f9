# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from tars_app.documents.extract import decode, extract
from tars_app.documents.model import NO_PAGE, Page, UnreadableError


def pdf(*pages: str, password: str | None = None) -> bytes:
    out = BytesIO()
    canvas = Canvas(out, encrypt=password)
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_a_pdf_is_read_page_by_page() -> None:
    assert extract("a.PDF", pdf("First page", "Second page")).pages == [Page(1, "First page"), Page(2, "Second page")]


def test_pages_without_text_keep_the_numbers_of_the_others() -> None:
    assert extract("a.pdf", pdf("", "Second page")).pages == [Page(2, "Second page")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"", "no readable PDF"),
        ("a.pdf", b"%PDF-1.7\nrubbish", "no readable PDF"),
        ("a.pdf", pdf("secret", password="x"), "encrypted"),
        ("a.pdf", pdf(""), "text recognition"),
        ("a.txt", b" \n\t ", "has no text"),
        ("a.txt", bytes(range(32)) * 10, "binary data"),
    ],
)
def test_an_unreadable_file_has_a_reason(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        extract(name, content)


def test_a_text_has_no_pages() -> None:
    assert extract("a.md", b"# Hi\r\nyou").pages == [Page(NO_PAGE, "# Hi\nyou")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_of_households(encoding: str) -> None:
    text = "Der Schlüssel für die Außentür hängt über der Küchentür. Schöne Grüße, Jürgen Müßig. " * 3
    assert decode(text.encode(encoding)) == text


@settings(max_examples=200)
@given(st.binary(max_size=500))
def test_any_bytes_are_a_text_or_unreadable(content: bytes) -> None:
    with suppress(UnreadableError):
        assert "\x00" not in decode(content)


def test_a_damaged_pdf_takes_nothing_with_it(tmp_path: Path) -> None:
    whole = pdf(*(f"Page {number}" for number in range(20)))
    for cut in range(50, len(whole), len(whole) // 6):
        try:
            assert all(isinstance(page, Page) for page in extract("a.pdf", whole[:cut] + b"\xff" * 50).pages)
        except UnreadableError as error:
            assert str(error).endswith(".")
