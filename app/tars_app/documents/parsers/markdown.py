# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown, whose front matter, headings and tables stay as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tars_app.documents.parsers import text
from tars_app.documents.parsers.headings import Heading, divide
from tars_app.documents.parsers.model import Parsed

# CommonMark 0.31: headings with number signs (4.2), and underlined ones (4.3) of one line; code between fences (4.5).
_NUMBER_SIGNS = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{3,})[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINE = re.compile(r"[^\n]+\n?|\n")
_NO_PARAGRAPH = re.compile(r"\s|\||[-*+>] |\d+[.)] ")
_FRONT_MATTER = re.compile(r"---\n.*?\n---(?:\n|\Z)", re.DOTALL)


def parse(content: bytes) -> Parsed:
    """Return the text as it stands, divided at its headings.

    Raises:
        UnreadableError: the content is not text.
    """
    parsed = text.parse(content)
    [section] = parsed.sections
    return replace(parsed, sections=divide(section.text, list(headings(section.text))))


def headings(source: str) -> Iterator[Heading]:
    """Yield the headings of a text in order; lines of front matter and of fenced code are none."""
    matter = _FRONT_MATTER.match(source)
    fence, is_after_blank = "", True
    candidate: re.Match[str] | None = None
    for place in _LINE.finditer(source, matter.end() if matter else 0):
        line = place[0].rstrip("\n")
        mark = _FENCE.match(line)
        underlined, candidate = candidate, None
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif signs := _NUMBER_SIGNS.fullmatch(line):
            if words := (signs[2] or "").strip().rstrip("#").rstrip():
                yield Heading(place.start(), len(signs[1]), words)
        elif underlined and _UNDERLINE.fullmatch(line):
            yield Heading(underlined.start(), 1 if "=" in line else 2, underlined[0].strip())
        elif is_after_blank and line and not _NO_PARAGRAPH.match(line):
            candidate = place
        is_after_blank = not line.strip()
