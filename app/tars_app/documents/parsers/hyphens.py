# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that were divided at the end of a line, in one piece."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A hyphen that ends a line. PDFium has its own marks for those that it takes for the hyphen of a divided word.
_LINE_END_HYPHEN = re.compile("[\x02\ufffe](?: ?\n)?|\u00ad(?: ?\n)?|(?<=[^\\W_])- ?\n(?=[^\\W_])")
_WORD_BEFORE = re.compile(r"[^\W_]*\Z")
_WORD_AFTER = re.compile(r"[^\W_]+")
_LONGEST_WORD = 60
_CONJUNCTIONS = frozenset({"and", "or", "to", "und", "oder", "bzw", "bis", "sowie"})
"""Before these, a hyphen stands for the end of a compound that follows: "Ein- und Ausgang"."""


def join_hyphens(text: str) -> str:
    """Return a text with words that were divided at the end of a line in one piece.

    A hyphen stays before a digit or a capital, after a single letter, and where a conjunction follows: it is one of
    the text (RE-2024-0815, e-mail, Kfz-Steuer), and a quotation has it as printed.
    """
    parts: list[str] = []
    end = 0
    for start, after, written in joints(text):
        parts += (text[end:start], written)
        end = after
    return "".join([*parts, text[end:]])


def joints(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where `join_hyphens` replaces text (start and end), and by what."""
    for match in _LINE_END_HYPHEN.finditer(text):
        yield match.start(), match.end(), _joined(match)


def _joined(match: re.Match[str]) -> str:
    if match[0] == "\u00ad":  # within a line, where it is not printed
        return ""
    text = match.string
    before = _WORD_BEFORE.search(text, max(0, match.start() - _LONGEST_WORD), match.start())
    after = _WORD_AFTER.match(text, match.end())
    if not before or not after:
        return match[0].replace("\x02", "-").replace("\ufffe", "-").replace("\u00ad", "-")
    if after[0].lower() in _CONJUNCTIONS:
        return "- "
    return "" if after[0][0].islower() and len(before[0]) > 1 and before[0].isalpha() else "-"
