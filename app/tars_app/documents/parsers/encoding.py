# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode bytes of which nobody states the encoding: UTF-8, UTF-16, and the encodings that households used before."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from charset_normalizer import from_bytes

from tars_app.documents.parsers.model import UnreadableError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096
_ESCAPED = frozenset(map(chr, range(0xDC80, 0xDD00)))
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028]")
_WITHIN_WORDS = frozenset("\u2019\u2018'\u00b7\u00ad\u2013-\u00aa\u00ba")
_NAMES = {"cp1252": "Windows-1252", "iso8859-15": "ISO-8859-15"}
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_LATIN = re.compile("[A-Za-z]")
_GUESSED_BYTES = 100_000
_READ_CHARACTERS = 500_000
_FEW = 3
"""Bytes that are not UTF-8: too few to tell one encoding from another."""


@dataclass(frozen=True)
class Decoded:
    """A text with "\\n" as line ends and without control characters. `note` is a sentence where it was guessed."""

    text: str
    note: str = ""


def decode(content: bytes) -> Decoded:
    """Return the text of a plain file.

    Valid UTF-8 stays as it is. Single bytes that are not UTF-8 are read as Windows-1252 or ISO-8859-15; a whole file
    that is not UTF-8 likewise, unless these make no words of it: then the encoding is estimated.

    Raises:
        UnreadableError: the content is not text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _checked(content[len(mark) :].decode(encoding, "replace" if "16" in encoding else "surrogateescape"))
    if utf_16 := _utf_16(content[:_SAMPLE]):
        return _checked(content.decode(utf_16, "replace"))
    return _checked(content.decode("utf-8", "surrogateescape"), content)


def plain(text: str) -> str:
    """Return a text with "\\n" as line ends and without control characters, otherwise as it stands."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", text).replace("\u2029", "\n\n"))


def _utf_16(sample: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark: one byte in two is zero in the text of Western languages.

    Binary data may have as many zeros, but also characters that no text has.
    """
    half = len(sample) // 2
    even, odd = sample[0 : 2 * half : 2].count(0), sample[1 : 2 * half : 2].count(0)
    if half >= 2 and max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        if not _CONTROLS.search(sample[: 2 * half].decode(encoding, "ignore")):
            return encoding
    return None


def _checked(text: str, content: bytes | None = None) -> Decoded:
    """Return the text with what is not UTF-8 (in surrogates) decoded. Without `content`, the file names UTF-8."""
    note = ""
    if invalid := {character: text.count(character) for character in _ESCAPED & set(text)}:
        count = sum(invalid.values())
        valid = len(text) - len(text.encode("ascii", "ignore")) - count
        first = min(map(text.index, invalid))
        encoding = _household_encoding(invalid)
        whole = text.translate(_table(encoding))
        if content is None or valid >= count or count < _FEW:
            text, note = whole, _stray_note(count, 1 + text.count("\n", 0, first), _NAMES[encoding])
        else:
            text, note = _not_utf_8(content, content.decode(encoding, "replace"), encoding)
    if text.count("\x00") > len(text) // 100:
        raise UnreadableError("The file is not text: it holds binary data.")
    return Decoded(plain(text), note)


def _stray_note(count: int, line: int, encoding: str) -> str:
    if count == 1:
        return f"One byte is not valid UTF-8 (line {line}); it was read as {encoding}."
    return f"{count} bytes are not valid UTF-8, the first in line {line}; they were read as {encoding}."


def _household_encoding(invalid: Iterable[str]) -> str:
    """Return ISO-8859-15 where its euro sign occurs, and none of the characters that Windows-1252 alone has."""
    values = {ord(character) - 0xDC00 for character in invalid}
    return "iso8859-15" if 0xA4 in values and min(values) >= 0xA0 else "cp1252"


def _table(encoding: str) -> dict[int, str]:
    return {0xDC00 + byte: bytes([byte]).decode(encoding, "replace") for byte in range(0x80, 0x100)}


def _not_utf_8(content: bytes, western: str, encoding: str) -> tuple[str, str]:
    first = match.start() if (match := _NOT_ASCII.search(western)) else 0
    if not _reads_as_words(western[first : first + _READ_CHARACTERS]):
        if best := from_bytes(content[:_GUESSED_BYTES]).best():
            name = best.encoding.replace("_", "-")
            return content.decode(best.encoding, "replace"), f"The file is not UTF-8; it was read as {name}, a guess."
        if _CONTROLS.search(western):
            raise UnreadableError("The file is not text in any known encoding.")
    return western, f"The file is not UTF-8; it was read as {_NAMES[encoding]}."


def _reads_as_words(text: str) -> bool:
    """Return whether letters beyond ASCII are few, and signs do not stand within words, as in a wrong encoding."""
    foreign = misplaced = special = 0
    for match in _NOT_ASCII.finditer(text):
        character, start = match[0], match.start()
        special += 1
        if character.isalpha():
            foreign += 1
        elif character not in _WITHIN_WORDS:
            within = text[max(0, start - 1) : start].isalpha() and text[start + 1 : start + 2].isalpha()
            misplaced += within or character == "\ufffd"
    letters = len(_LATIN.findall(text)) + foreign
    return foreign <= 0.4 * letters and misplaced <= 0.1 * special
