# SPDX-License-Identifier: GPL-3.0-or-later
"""The headings above a part of a document are in the index of each of its passages."""

from __future__ import annotations

from io import BytesIO

import docx as python_docx
import odfdo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.documents.parsers import process
from tars_app.documents.parsers.headings import SHORT
from tars_app.documents.parsers.markdown import headings, parse
from tars_app.documents.passages import join_sections, place_passages

DEPOSIT = "The deposit is due within three weeks. " * 40
LINE = st.one_of(
    st.sampled_from(
        ["# A", "## B", "### C ##", "Title\n===", "Title\n---", "```", "~~~", "", "* x", "| a |", "word " * 90]
    ),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40),
)


def word() -> bytes:
    document, file = python_docx.Document(), BytesIO()
    document.add_heading("Lease", 1)
    document.add_paragraph("Between the two parties.")
    document.add_heading("Deposit", 2)
    document.add_heading("Return", 3)
    document.add_paragraph(DEPOSIT)
    document.add_heading("Pets", 2)
    document.add_paragraph("No dogs.")
    document.save(file)
    return file.getvalue()


def open_document() -> bytes:
    document, file = odfdo.Document("text"), BytesIO()
    document.body.clear()
    for element in (
        odfdo.Header(1, "Lease"),
        odfdo.Paragraph("Between the two parties."),
        odfdo.Header(2, "Deposit"),
        odfdo.Header(3, "Return"),
        odfdo.Paragraph(DEPOSIT),
        odfdo.Header(2, "Pets"),
        odfdo.Paragraph("No dogs."),
    ):
        document.body.append(element)
    document.save(file)
    return file.getvalue()


MARKDOWN = f"# Lease\n\nBetween the two parties.\n\n## Deposit\n\n### Return\n\n{DEPOSIT}\n\nPets\n----\n\nNo dogs.\n"
HTML = (
    "<html><head><title>Lease</title></head><body><h1>Lease</h1><p>Between the two parties.</p>"
    f"<section><h2><a href='#d'>Deposit</a></h2><h3>Return</h3><p>{DEPOSIT}</p></section>"
    "<h2>Pets</h2><p>No dogs.</p></body></html>"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.md", MARKDOWN.encode()), ("a.html", HTML.encode()), ("a.docx", word()), ("a.odt", open_document())],
)
def test_each_passage_has_the_headings_above_it(name: str, content: bytes) -> None:
    parsed = process.parse(name, content)
    passages = place_passages(parsed.sections, 180, 1000)
    title = "Lease\n" if name == "a.html" else ""
    deposit = f"{title}Deposit > Return"
    of_text = {passage.text[:9]: passage.header for passage in passages if "within three" not in passage.text}
    assert {passage.header for passage in passages if "within three" in passage.text} == {deposit}
    assert sum("within three" in passage.text for passage in passages) > 1, "also those without the heading in them"
    pets = next(header for text, header in of_text.items() if "Pets" in text)
    assert pets == title.strip(), "a short part has its own heading in its text"
    assert {passage.page for passage in passages} == {0} and not any(passage.label for passage in passages)


@given(st.lists(LINE, max_size=20).map("\n".join).filter(str.strip))
def test_a_text_of_markdown_is_put_together_from_its_passages(source: str) -> None:
    sections = parse(source.encode()).sections
    text = "".join(section.text for section in sections)
    passages = place_passages(sections, 180, 1000)
    assert "".join(passage.before + passage.text + passage.after for passage in passages) == text
    assert join_sections(passages) == sections
    for heading in headings(text):
        assert text[heading.start :].lstrip(" #").startswith(heading.words)


def test_code_front_matter_tables_and_lists_have_no_headings() -> None:
    source = (
        "---\ntitle: x\n---\n\n```\n# a\n```\n\n| a |\n----\n\n* b\n---\n\nfirst\nsecond\n---\n\n#c\n\n# \n\n# d #\n"
    )
    assert [(heading.level, heading.words) for heading in headings(source)] == [(1, "d")]


def test_a_file_whose_parts_are_short_is_one_section() -> None:
    source = "# Shed\n\nThe key hangs behind it.\n"
    assert len(source) <= SHORT
    assert [(section.text, section.header) for section in parse(source.encode()).sections] == [(source, "")]
