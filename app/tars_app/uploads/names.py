# SPDX-License-Identifier: GPL-3.0-or-later
"""Names under which documents are saved: those that the worker reads, and that every system can show."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator

from tars_app.adapters.ignored_names import ignored_because
from tars_app.documents.parsers.registry import SUFFIXES, advice
from tars_app.uploads.errors import UnfitNameError, UnreadFormatError

MOST_BYTES = 240
"""File systems allow 255, of which a number and the end of a temporary name need some."""
MOST_NUMBERED = 1000
_SEPARATORS = frozenset("/\\")
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control characters, halves of characters, line and paragraph ends."""


def fit(name: str) -> str:
    """Return the name as it is saved: composed (Unicode NFC), without white space around it.

    Raises:
        UnfitNameError: it is a path, or a name that is not read, or has characters that cannot be shown.
        UnreadFormatError: files of its format are not read.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name or _SEPARATORS.intersection(name):
        raise UnfitNameError(f"invalid name {name!r}: expected that of a file, without its folder", "Rename the file.")
    if any(unicodedata.category(character) in _CONTROL for character in name):
        raise UnfitNameError(f"invalid name {name!r}: found a control character", "Rename the file.")
    if len(name.encode()) > MOST_BYTES:
        raise UnfitNameError("The name of the file is too long.", f"Give it a name of at most {MOST_BYTES} bytes.")
    if because := ignored_because(name):
        raise UnfitNameError(f"{name} is not read: its name is that of a {because} file.", "Rename the file.")
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in SUFFIXES:
        message = f"Files of this format{f' ({suffix})' if suffix else ''} are not read."
        raise UnreadFormatError(message, advice(name) or "Save the document in a format that is read, as PDF.")
    return name


def candidates(name: str) -> Iterator[str]:
    """Yield the name, then "letter (2).pdf", "letter (3).pdf" and so on."""
    yield name
    stem, suffix = os.path.splitext(name)
    for number in range(2, MOST_NUMBERED):
        yield f"{stem} ({number}){suffix}"
