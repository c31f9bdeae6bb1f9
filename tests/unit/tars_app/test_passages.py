# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import math
from io import BytesIO

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.documents.model import NO_PAGE
from tars_app.documents.parsers import process
from tars_app.documents.parsers.encoding import plain
from tars_app.documents.parsers.model import Section
from tars_app.documents.parsers.text import parse
from tars_app.documents.passages import join_sections, place_passages
from tars_app.documents.vectors import pack, unpack

SPACE = st.text(" \n\t\r\x0b\x0c\x1c\x85\xa0\u2003\u2028", max_size=4)
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
TEXT = st.lists(st.one_of(SPACE, WORD, st.just(". "), st.just("\n\n"), st.just("\n- ")), max_size=60).map("".join)
PAGES = st.lists(TEXT.filter(str.strip), min_size=1, max_size=5)


@given(PAGES, st.integers(20, 40), st.integers(200, 400))
def test_the_pages_put_together_from_passages_are_those_that_were_extracted(
    texts: list[str], most_words: int, most_characters: int
) -> None:
    pages = [Section(number, text) for number, text in enumerate(texts, 1)]
    passages = place_passages(pages, most_words, most_characters)
    assert join_sections(passages) == pages
    assert all(not (passage.before + passage.after).strip() for passage in passages), "only white space is left out"


@given(TEXT.filter(lambda text: plain(text).strip()))
def test_a_text_file_is_put_together_from_its_passages(text: str) -> None:
    pages = parse(text.encode()).sections
    assert [page.number for page in pages] == [NO_PAGE]
    assert join_sections(place_passages(pages, 180, 1000)) == pages


def test_equal_passages_have_one_hash_wherever_they_stand() -> None:
    text = "The water tap is in the cellar."
    first, second = place_passages([Section(1, f"\n{text}\n"), Section(2, text)], 180, 1000)
    assert first.hash == second.hash == hashlib.sha256(text.encode()).digest()
    assert (first.before, first.after, second.before, second.after) == ("\n", "\n", "", "")


def test_a_header_is_part_of_what_is_embedded_and_of_the_hash_and_of_no_text() -> None:
    rows = "\n".join(f"Item {number}\t{number} EUR" for number in range(60))
    table = Section(2, rows, "sheet Costs", "Position\tAmount")
    passages = place_passages([table], 40, 400)
    assert join_sections(passages) == [table]
    for passage in passages:
        assert passage.embedded_text == f"Position\tAmount\n{passage.text}"
        assert passage.hash == hashlib.sha256(f"Position\tAmount\0{passage.text}".encode()).digest()
        assert "Position" not in passage.text and len(passage.embedded_text.split()) <= 40
        assert all(line.endswith(" EUR") for line in passage.text.splitlines()), "rows are not cut"


def test_a_long_header_leaves_a_passage_most_of_its_size() -> None:
    passages = place_passages([Section(1, "word " * 300, "", "title " * 1000)], 60, 300)
    assert all(len(passage.text.split()) >= 20 or passage is passages[-1] for passage in passages)
    assert all(len(passage.embedded_text) <= 301 for passage in passages)


def in_markdown(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|:--:|", *lines[1:]])


def in_html(rows: list[list[str]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<p>Costs of the house.</p><table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table><p>That is all.</p>"


def in_word(rows: list[list[str]]) -> bytes:
    document, file = docx.Document(), BytesIO()
    table = document.add_table(rows=len(rows), cols=2)
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(file)
    return file.getvalue()


HEADER = ["Position", "Amount"]
ROWS = [[f"Item number {number}", f"{number}.50 EUR"] for number in range(60)]


@pytest.mark.parametrize(
    ("name", "content", "header"),
    [
        ("a.md", f"# Costs\n\nOf the house.\n\n{in_markdown([HEADER, *ROWS])}\n\nAll.\n", "| Position | Amount |"),
        ("a.html", in_html([HEADER, *ROWS]), "Position\tAmount"),
        ("a.html", in_html([HEADER, *ROWS[:30], ["Garden"], *ROWS[30:]]), "Position\tAmount"),
        ("a.docx", in_word([HEADER, *ROWS]), "Position\tAmount"),
    ],
)
def test_each_passage_of_a_long_table_has_the_header_row(name: str, content: str | bytes, header: str) -> None:
    sections = process.parse(name, content if isinstance(content, bytes) else content.encode()).sections
    passages = place_passages(sections, 60, 400)
    assert join_sections(passages) == sections
    rows = [passage for passage in passages if "Item number" in passage.text]
    assert len(rows) > 5
    for passage in rows:
        assert (header in passage.text) != (passage.header_row == header), "as it stands, or repeated"
        assert header in passage.embedded_text and len(passage.embedded_text.split()) <= 60
        assert len(passage.embedded_text) <= 400
        assert passage.text in "".join(section.text for section in sections)
    assert sum(passage.header_row == "" for passage in rows) == 1
    assert all(not passage.header_row for passage in passages if passage not in rows)


@pytest.mark.parametrize(
    "text",
    [
        in_markdown([HEADER, *ROWS[:3]]),
        "\n".join(f"{item}\t{amount}" for item, amount in ROWS),
        "\n".join(f"| {item} | {amount} |" for item, amount in ROWS),
        f"{in_markdown([HEADER, *ROWS[:2]])}\n\n{'A long text. ' * 100}",
    ],
    ids=["short", "no header row", "no delimiter row", "after it"],
)
def test_no_header_is_repeated_where_there_is_none_or_the_table_fits(text: str) -> None:
    assert all(not passage.header for passage in place_passages([Section(NO_PAGE, text)], 60, 400))


def test_a_table_that_fits_exactly_stays_whole() -> None:
    rows = "\n".join(["Position\tAmount", *(f"item\tword {number}" for number in range(19))])
    assert len(rows.split()) == 59
    [passage] = place_passages([Section(NO_PAGE, rows)], 59, 1000)
    assert (passage.text, passage.header) == (rows, "")


def test_a_long_header_row_counts_and_ends_with_its_table() -> None:
    titles, row = "\t".join(["title"] * 15), "\t".join(["word"] * 25)
    after = " ".join(["after"] * 50)
    passages = place_passages([Section(NO_PAGE, "\n".join([titles, *[row] * 6]) + f"\n\n{after}")], 60, 1000)
    assert [passage.header_row for passage in passages if "word" in passage.text][1:] == [titles] * 5
    assert all(len(passage.embedded_text.split()) <= 60 for passage in passages)
    assert all(not passage.header_row for passage in passages if "after" in passage.text)


def test_the_header_row_of_a_sheet_stands_once_in_the_header() -> None:
    rows = "\n".join("\t".join(row) for row in [HEADER, *ROWS])
    passages = place_passages([Section(1, rows, "sheet Costs", "Position\tAmount")], 60, 400)
    assert {passage.header for passage in passages} == {"Position\tAmount"}


LINES = st.lists(st.text("| \t\n-:ab1.", max_size=30), max_size=40).map("\n".join)


@given(LINES.filter(str.strip))
def test_texts_like_tables_are_put_together_from_their_passages(text: str) -> None:
    sections = [Section(NO_PAGE, text)]
    passages = place_passages(sections, 20, 100)
    assert join_sections(passages) == sections
    assert all(passage.header_row in text for passage in passages)
    assert all(len(passage.embedded_text) <= 100 for passage in passages)


NUMBERS = st.floats(-1e300, 1e300, allow_nan=False).filter(lambda number: number == 0 or abs(number) > 1e-300)


@given(st.lists(NUMBERS, min_size=1, max_size=400).filter(any))
def test_a_packed_vector_keeps_its_direction(vector: list[float]) -> None:
    packed = pack(vector)
    assert len(packed) == 2 * len(vector)
    numbers = unpack(packed)
    largest = max(map(abs, vector))
    scaled = [number / largest for number in vector]
    length = math.hypot(*scaled)
    # Half precision has 11 significant bits, and steps of 2**-24 near 0.
    assert numbers == pytest.approx([number / length for number in scaled], rel=2**-11, abs=2**-24)


def test_a_vector_of_zeros_is_refused() -> None:
    with pytest.raises(ValueError, match="no direction"):
        pack([0.0, 0.0])
