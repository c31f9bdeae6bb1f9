# SPDX-License-Identifier: GPL-3.0-or-later
"""What the formats of OpenDocument (ODF 1.3) have in common: metadata, paragraphs, tables, and which are hidden."""

from __future__ import annotations

from collections.abc import Iterator

from tars_app.documents.parsers.archive import Archive, Element, attribute, local
from tars_app.documents.parsers.layout import Layout
from tars_app.documents.parsers.model import UnreadableError

MOST_BLANKS = 1000
MOST_REPEATED = 100
"""Times that a cell or row of a text is written that is stored once."""
_SKIPPED = frozenset({"tracked-changes", "annotation", "note-citation", "sequence-decls", "forms", "settings"})
_OF_THE_PAGE = frozenset({"page-number", "date-time", "header"})
"""Frames of a slide with its number, the date of the day, and the header of a notes page."""
_LEVELS = tuple("123456789")
_SIGNS = {"tab": "\t", "line-break": "\n"}
_BLOCKS = frozenset({"text-box", "note-body"})


def open_document(content: bytes, kind: str) -> Archive:
    """Return the parts of a file.

    Raises:
        UnreadableError: it is damaged, encrypted, or not of OpenDocument.
    """
    archive = Archive(content, kind)
    manifest = archive.optional_xml("META-INF/manifest.xml")
    if manifest is not None and any(local(entry) == "encryption-data" for entry in manifest.iter()):
        raise UnreadableError("The file is encrypted: save a copy without a password.")
    return archive


def body(archive: Archive, root: Element, name: str) -> Element:
    """Return the body of a document, as office:text.

    Raises:
        UnreadableError: it has none, as a spreadsheet that was renamed to a text.
    """
    element = root.find(f"{{*}}body/{{*}}{name}")
    if element is None:
        raise UnreadableError(f"The file is not {archive.kind}: rename it as what it is.")
    return element


def document_date(archive: Archive) -> str | None:
    """Return the day on which the document was changed last, else created, as its metadata state."""
    root = archive.optional_xml("meta.xml")
    dates = {local(entry): entry.text or "" for entry in (root.iter() if root is not None else ())}
    return (dates.get("date") or dates.get("creation-date") or "")[:10] or None


def pictures(root: Element) -> Iterator[str]:
    """Yield the names of the pictures below an element, as they follow one another."""
    for image in root.iter("{*}image"):
        yield attribute(image, "href").removeprefix("./")


def hidden_styles(root: Element) -> frozenset[str]:
    """Return the names of the styles of tables and slides that are not shown."""
    return frozenset(
        attribute(style, "name")
        for style in root.iterfind("{*}automatic-styles/{*}style")
        for properties in style
        if attribute(properties, "display") == "false" or attribute(properties, "visibility") == "hidden"
    )


class Story:
    """Writes paragraphs and tables to a layout; notes and text boxes follow the paragraph that they belong to."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._later: list[Element] = []

    def blocks(self, parent: Element) -> None:
        """Write all below an element."""
        for child in parent:
            name = local(child)
            if name in _SKIPPED or (name == "frame" and attribute(child, "class") in _OF_THE_PAGE):
                continue
            if name in ("p", "h"):
                self._paragraph(child)
            elif name == "table":
                self._table(child)
            else:
                self.blocks(child)

    def _paragraph(self, element: Element) -> None:
        level = attribute(element, "outline-level") if local(element) == "h" else ""
        self._layout.paragraph("".join(inline(element, self._later)), int(level) if level in _LEVELS else 0)
        self._write_later()

    def _write_later(self) -> None:
        later, self._later = self._later, []
        for element in later:
            self.blocks(element)

    def _table(self, table: Element) -> None:
        self._layout.end_table()
        for row in rows(table):
            cells = [text for cell in row if (text := self._cell(cell)) is not None]
            for _ in range(repeats(row, "rows") if any(cells) else 0):
                self._layout.row(cells)
        self._layout.end_table()

    def _cell(self, cell: Element) -> str | None:
        if local(cell) not in ("table-cell", "covered-table-cell"):
            return None
        layout = Layout()
        Story(layout).blocks(cell)
        return layout.text


def inline(parent: Element, later: list[Element]) -> Iterator[str]:
    """Yield the pieces of text of a paragraph; text boxes and the bodies of notes are appended to `later`."""
    yield parent.text or ""
    for child in parent:
        name = local(child)
        if name == "s":
            count = attribute(child, "c")
            yield " " * min(int(count) if count.isdecimal() else 1, MOST_BLANKS)
        elif name in _BLOCKS:
            later.append(child)
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name not in _SKIPPED:
            yield from inline(child, later)
        yield child.tail or ""


def rows(table: Element) -> Iterator[Element]:
    """Yield the rows of a table, also those of groups and of the header."""
    for child in table:
        name = local(child)
        if name == "table-row":
            yield child
        elif name in ("table-header-rows", "table-row-group", "table-rows"):
            yield from rows(child)


def repeats(element: Element, what: str, most: int = MOST_REPEATED) -> int:
    """Return how many times a row ("rows") or cell ("columns") stands one after the other, `most` at most."""
    count = attribute(element, f"number-{what}-repeated")
    return max(1, min(int(count), most)) if count.isdecimal() and len(count) < 10 else 1
