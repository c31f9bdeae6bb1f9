# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that every store and every format takes, and lists of words."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return the text without NUL, and with U+FFFD in place of each lone surrogate.

    PostgreSQL takes no NUL, and UTF-8 has no surrogates; file names, PDF files and error messages may have both.
    """
    text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def words(text: str) -> list[str]:
    """Return the words of a list that is written as one text."""
    return text.split()
