# SPDX-License-Identifier: GPL-3.0-or-later
"""Presentations of OpenDocument (ODP)."""

from __future__ import annotations

from tars_app.documents.parsers.archive import Element, attribute
from tars_app.documents.parsers.layout import Layout
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError
from tars_app.documents.parsers.office.opendocument import (
    Story,
    body,
    document_date,
    hidden_styles,
    open_document,
    pictures,
)
from tars_app.documents.parsers.office.pictures import with_pictures
from tars_app.documents.parsers.office.slides import MOST_SLIDES


def parse(content: bytes) -> Parsed:
    """Return the slides in their order, each with its notes.

    Raises:
        UnreadableError: the file is damaged, encrypted, or not a presentation.
    """
    archive = open_document(content, "an OpenDocument presentation (ODP)")
    root = archive.xml("content.xml")
    slides = body(archive, root, "presentation").findall("{*}page")
    if len(slides) > MOST_SLIDES:
        raise UnreadableError(f"The presentation has {len(slides)} slides; more than {MOST_SLIDES} are not read.")
    hidden = hidden_styles(root)
    date = document_date(archive)
    sections = [_slide(number, slide, hidden) for number, slide in enumerate(slides, 1)]
    shown = ((name, section.label) for slide, section in zip(slides, sections, strict=True) for name in pictures(slide))
    return with_pictures(Parsed(sections, date, "Office metadata" if date else ""), archive, shown)


def _slide(number: int, slide: Element, hidden: frozenset[str]) -> Section:
    layout = Layout()
    Story(layout).blocks(slide)
    mark = " (hidden)" if attribute(slide, "style-name") in hidden else ""
    return Section(number, layout.text, f"slide {number}{mark}")
