# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of HTML."""

from __future__ import annotations

import re

from tars_app.documents.parsers.archive import Element
from tars_app.documents.parsers.markup import decode_markup, layout_of, main_element, title_of, tree_of
from tars_app.documents.parsers.model import Parsed

_DATES = frozenset({"date", "dc.date", "dcterms.date", "article:published_time", "last-modified", "dcterms.modified"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def parse(content: bytes) -> Parsed:
    """Return the main text of a page, divided at its headings, with its title in each header.

    Raises:
        UnreadableError: the file is not text, or holds no HTML.
    """
    decoded = decode_markup(content)
    root = tree_of(decoded.text)
    date = _date(root)
    sections = layout_of(main_element(root)).sections(title_of(root))
    return Parsed(sections, date, "page metadata" if date else "", [decoded.note] if decoded.note else [])


def _date(root: Element) -> str | None:
    """Return the day that the head of a page claims."""
    for entry in root.iter("{*}meta"):
        name = (entry.get("name") or entry.get("property") or "").lower()
        if name in _DATES and (day := _DAY.match((entry.get("content") or "").strip())):
            return day[0]
    return None
