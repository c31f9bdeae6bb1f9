# SPDX-License-Identifier: GPL-3.0-or-later
"""Word documents (DOCX, ECMA-376 part 1, 17)."""

from __future__ import annotations

import re
from collections.abc import Collection

from tars_app.documents.parsers.archive import Archive, Element, attribute, local
from tars_app.documents.parsers.layout import Layout
from tars_app.documents.parsers.model import Parsed
from tars_app.documents.parsers.office.ooxml import Story, main_part, office_date, pictures, relations
from tars_app.documents.parsers.office.pictures import with_pictures

_HEADING = re.compile(r"heading ([1-9])")


def parse(content: bytes) -> Parsed:
    """Return headers and footers, each once, and text with its notes and text boxes, divided at its headings.

    Raises:
        UnreadableError: the file is damaged, encrypted, or not a Word document.
    """
    archive = Archive(content, "a Word document (DOCX)")
    part = main_part(archive, "word/document.xml")
    root = archive.xml(part)
    related = relations(archive, part).values()
    layout = Layout()
    for text in _margins(archive, related, "header"):
        layout.paragraph(text)
    Story(layout, _notes(archive, related), _levels(archive, related)).blocks(root)
    for text in _margins(archive, related, "footer"):
        layout.paragraph(text)
    date = office_date(archive)
    parsed = Parsed(layout.sections(), date, "Office metadata" if date else "")
    return with_pictures(parsed, archive, ((name, "") for name in pictures(archive, part, root)))


def _levels(archive: Archive, related: Collection[tuple[str, str]]) -> dict[str, int]:
    """Return the levels, from 1, of the styles of headings. Their ids are in Word's language, their names are not."""
    levels: dict[str, int] = {}
    for name in (target for relation, target in related if relation == "styles"):
        root = archive.optional_xml(name)
        for style in root.iterfind("{*}style") if root is not None else ():
            named = " ".join(attribute(entry, "val").lower() for entry in style.iterfind("{*}name"))
            if match := _HEADING.fullmatch(named):
                levels[attribute(style, "styleId")] = int(match[1])
    return levels


def _notes(archive: Archive, related: Collection[tuple[str, str]]) -> dict[tuple[str, str], Element]:
    """Return the notes of the document by their kind and id, without the lines that part them from the text."""
    notes: dict[tuple[str, str], Element] = {}
    for kind in ("footnote", "endnote"):
        for name in (target for relation, target in related if relation == f"{kind}s"):
            root = archive.optional_xml(name)
            for note in root if root is not None else ():
                if local(note) == kind and attribute(note, "type") not in ("separator", "continuationSeparator"):
                    notes[kind, attribute(note, "id")] = note
    return notes


def _margins(archive: Archive, related: Collection[tuple[str, str]], kind: str) -> list[str]:
    """Return the texts of the headers or footers, each once."""
    texts: dict[str, None] = {}
    for name in sorted({target for relation, target in related if relation == kind}):
        if (root := archive.optional_xml(name)) is not None:
            layout = Layout()
            Story(layout).blocks(root)
            texts[layout.text] = None
    return list(texts)
