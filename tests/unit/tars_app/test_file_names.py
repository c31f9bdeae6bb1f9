# SPDX-License-Identifier: GPL-3.0-or-later
"""Every name of a file has one text that can be stored and read, and leads back to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tars_app.adapters.file_names import comparable, to_name, to_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("Müller Ärzte 5 €.pdf".encode(), "Müller Ärzte 5 €.pdf"),
        (b"B\xfccher.txt", r"B\xfccher.txt"),
        (b"two\nlines\t.txt", r"two\x0alines\x09.txt"),
        (rb"C:\temp\notes.txt", r"C:\temp\notes.txt"),
        (rb"odd\xff.txt", r"odd\x5cxff.txt"),
        (b"\\\xff", r"\\xff"),
        (rb"\x5c", r"\x5cx5c"),
        (b"#12 Rechnung.txt", "#12 Rechnung.txt"),
        ("no\u00a0break.txt".encode(), "no\u00a0break.txt"),
    ],
)
def test_a_name_and_its_text(name: bytes, text: str) -> None:
    assert to_text(os.fsdecode(name)) == text
    assert os.fsencode(to_name(text)) == name


@given(st.lists(st.sampled_from([*range(1, 47), *range(48, 256), *b"\\x5cff\\\\"]), max_size=40).map(bytes))
def test_every_name_leads_back_to_itself(name: bytes) -> None:
    text = to_text(os.fsdecode(name))
    text.encode()  # it can be stored
    assert not any(ord(character) < 32 for character in text)
    assert os.fsencode(to_name(text)) == name


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_two_names_have_the_same_text(first: bytes, second: bytes) -> None:
    same = to_text(os.fsdecode(first)) == to_text(os.fsdecode(second))
    assert same == (first == second)


def test_names_are_compared_without_case_and_however_accents_are_written() -> None:
    assert comparable("MU\u0308LLER.pdf") == comparable("m\u00fcller.PDF")


def test_the_text_is_stable_for_names_of_a_real_folder(tmp_path: Path) -> None:
    names = [b"B\xfccher.txt", "Mu\u0308ller.txt".encode(), "M\u00fcller.txt".encode(), b"a\nb.txt"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    texts = [to_text(name) for name in os.listdir(tmp_path)]
    assert sorted(os.fsencode(to_name(text)) for text in texts) == sorted(names)
