# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tars_app.documents.parsers.encoding import decode, plain
from tars_app.documents.parsers.model import UnreadableError

GERMAN = "Der Schlüssel für die Außentür hängt über der Küchentür. Schöne Grüße, Jürgen Müßig. "
LONG = ("Der Vertrag läuft bis zum 31. März \u2013 danach kostet es 12,50 €. " * 90).encode()


def test_one_stray_byte_damages_nothing_else() -> None:
    cut = LONG.index(b" ", 3000)
    content = LONG[:cut] + b"\nGr\xfc\xdfe an M\xfcller in K\xf6ln\n" + LONG[cut:]
    decoded = decode(content)
    assert (
        decoded.text
        == content.replace(b"Gr\xfc\xdfe an M\xfcller in K\xf6ln", "Grüße an Müller in Köln".encode()).decode()
    )
    assert decoded.note == "4 bytes are not valid UTF-8, the first in line 2; they were read as Windows-1252."
    assert decode(b"\x80 5" + LONG).note == ("One byte is not valid UTF-8 (line 1); it was read as Windows-1252.")


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_file_that_was_cut_within_a_character(cut: int) -> None:
    content = "12,50 €".encode()[: 10 - cut]
    assert decode(LONG + content).text.startswith(LONG.decode())


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", ""),
        ("utf-16-be", ""),
        ("utf-32", ""),
        ("cp1252", "The file is not UTF-8; it was read as Windows-1252."),
    ],
)
def test_encodings_of_households(encoding: str, note: str) -> None:
    decoded = decode((GERMAN * 3).encode(encoding))
    assert (decoded.text, decoded.note) == (GERMAN * 3, note)


def test_the_euro_sign_of_iso_8859_15() -> None:
    text = "Die Miete beträgt 900 € für März."
    assert decode(text.encode("iso8859-15")).text == text
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Съешь же ещё этих мягких французских булок, да выпей чаю. Привет из Москвы. "),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"),
    ],
)
def test_a_whole_file_in_another_encoding(encoding: str, text: str) -> None:
    decoded = decode((text * 10).encode(encoding))
    assert decoded.text == text * 10
    assert decoded.note.startswith("The file is not UTF-8; it was read as ")


def test_controls_are_left_out_and_all_else_stays() -> None:
    assert plain("a\x00b\x07c\x9bd\ufffe") == "abcd"
    assert plain("1\r\n2\r3\x0c4\x0b5\u20286\x857\u20298") == "1\n2\n3\n4\n5\n6\n7\n\n8"
    kept = "Zwei Arten: \u00e9 e\u0301, \u00a0 \u200b \U0001f600 \u0441\u043b\u043e\u0432\u043e\t."
    assert plain(kept) == kept


@pytest.mark.parametrize("content", [bytes(range(32)) * 10, b"\x7fELF" + bytes(500) + b"\xff\xfe\x01" * 9])
def test_what_is_not_text_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableError, match="not text"):
        decode(content)


@settings(max_examples=150)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_text_or_unreadable(content: bytes) -> None:
    with suppress(UnreadableError):  # what most binary data is
        text = decode(content).text
        assert not set(text) & {chr(code) for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))}
        text.encode()


@settings(max_examples=150)
@given(st.text(max_size=300))
def test_valid_utf_8_stays_as_it_is(text: str) -> None:
    try:
        decoded = decode(text.encode())
    except UnreadableError:
        assert "\x00" in text
        return
    assert decoded.note == "" and (decoded.text == plain(text) or text.startswith("\ufeff") or "\x00" in text)
