# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text in the encodings of households."""

from __future__ import annotations

import pytest

from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import Section, UnreadableError


def test_a_text_has_one_section_without_a_place() -> None:
    assert process.parse("a.md", b"# Hi\r\nyou").sections == [Section(0, "# Hi\nyou")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b" \n\t ", "has no text"), (bytes(range(32)) * 10, "binary data"), (bytes(range(4)) * 300, "binary data")],
)
def test_an_unreadable_text_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        process.parse("a.txt", content)


def test_a_guessed_encoding_is_noted() -> None:
    parsed = process.parse("a.txt", "Valid: ä ö ü. ".encode() * 5 + b"\nstray: \xfc")
    assert parsed.sections[0].text.endswith("\nstray: ü")
    assert parsed.notes == ["One byte is not valid UTF-8 (line 2); it was read as Windows-1252."]
