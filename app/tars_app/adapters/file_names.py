# SPDX-License-Identifier: GPL-3.0-or-later
r"""File names as text that can be stored and shown, and back to the bytes that the file system has.

A name is a sequence of bytes. Where it is UTF-8, its text is the name itself. A byte that is not UTF-8, and a control
character such as a line end, is written as `\xff`; a backslash in front of an x and two hexadecimal digits as `\x5c`.
So every name has one text, no two names have the same, and the text is readable on one line.
"""

from __future__ import annotations

import os
import re
import unicodedata

_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]|\\(?=x[0-9a-f]{2})")


def to_text(name: str) -> str:
    """Return the text of a name or path as Python has it, with undecodable bytes as surrogates (PEP 383)."""
    if name.isprintable() and "\\" not in name:  # surrogates are not printable
        return name
    return _TO_ESCAPE.sub(_escape, name)


def to_name(text: str) -> str:
    """Return the name or path, as Python has it, of a text that `to_text` made."""
    if "\\" not in text:
        return text
    # A text from a person may hold any characters; what no file name can hold names no file.
    content = text.encode("utf-8", "surrogateescape")
    return os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), content))


def comparable(text: str) -> str:
    """Return a text by which names are compared with what a person types: composed (Unicode NFC), in lower case."""
    return unicodedata.normalize("NFC", text).lower()


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00 if code >= 0xDC80 else code:02x}"
