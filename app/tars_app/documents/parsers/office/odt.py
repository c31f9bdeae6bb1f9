# SPDX-License-Identifier: GPL-3.0-or-later
"""Text documents of OpenDocument (ODT)."""

from __future__ import annotations

from tars_app.documents.parsers.archive import Archive, local
from tars_app.documents.parsers.layout import Layout
from tars_app.documents.parsers.model import Parsed
from tars_app.documents.parsers.office.opendocument import Story, body, document_date, open_document, pictures
from tars_app.documents.parsers.office.pictures import with_pictures


def parse(content: bytes) -> Parsed:
    """Return headers and footers, each once, and text with its notes and text boxes, divided at its headings.

    Raises:
        UnreadableError: the file is damaged, encrypted, or not a text document.
    """
    archive = open_document(content, "an OpenDocument text (ODT)")
    text = body(archive, archive.xml("content.xml"), "text")
    layout = Layout()
    for header in _margins(archive, "header"):
        layout.paragraph(header)
    Story(layout).blocks(text)
    for footer in _margins(archive, "footer"):
        layout.paragraph(footer)
    date = document_date(archive)
    parsed = Parsed(layout.sections(), date, "Office metadata" if date else "")
    return with_pictures(parsed, archive, ((name, "") for name in pictures(text)))


def _margins(archive: Archive, kind: str) -> list[str]:
    """Return the texts of the headers or footers of all kinds of pages, each once."""
    root = archive.optional_xml("styles.xml")
    texts: dict[str, None] = {}
    for page in root.iterfind("{*}master-styles/{*}master-page") if root is not None else ():
        for element in page:
            if local(element).startswith(kind):
                layout = Layout()
                Story(layout).blocks(element)
                texts[layout.text] = None
    return list(texts)
