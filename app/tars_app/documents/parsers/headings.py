# SPDX-License-Identifier: GPL-3.0-or-later
"""Divide a text at its headings, so that each part is indexed with the headings above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tars_app.documents.parsers.model import Section

SHORT = 400
"""Characters of a part that mostly stands in one passage with its own heading, which is not repeated in the header."""
_LONGEST = 120
"""Characters of a heading that are indexed with its part."""


@dataclass(frozen=True)
class Heading:
    """A heading of a text: where it begins, its level from 1, and its words."""

    start: int
    level: int
    words: str


def divide(text: str, headings: Sequence[Heading], title: str = "", number: int = 0, label: str = "") -> list[Section]:
    """Return the parts of a text, in order, with title and headings as header; put together they are the text.

    Each has the headings above it, and a long one its own heading too, which its later passages lack. The heading of
    the whole text is left out: mostly it is the name of the file, which is indexed with each passage. Parts in
    succession with the same header are one.
    """
    ends = [*(heading.start for heading in headings), len(text)]
    parts = [(text[: ends[0]], _header(title, []))]
    above: list[Heading] = []
    whole = headings[0] if headings and all(other.level > headings[0].level for other in headings[1:]) else None
    for heading, end in zip(headings, ends[1:], strict=True):
        above = [other for other in above if other.level < heading.level]
        is_short = end - heading.start <= SHORT
        own = [] if is_short or heading is whole else [heading]
        parts.append((text[heading.start : end], _header(title, [*above, *own])))
        if heading is not whole:
            above.append(heading)
    sections: list[Section] = []
    for part, header in parts:
        if sections and (sections[-1].header == header or not sections[-1].text.strip()):
            part = sections.pop().text + part
        sections.append(Section(number, part, label, header))
    return sections


def _header(title: str, headings: Sequence[Heading]) -> str:
    path = [" ".join(heading.words.split())[:_LONGEST] for heading in headings]
    if path and path[0] == title:
        del path[0]
    return "\n".join(line for line in (title, " > ".join(path)) if line)
