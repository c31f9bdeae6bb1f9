# SPDX-License-Identifier: GPL-3.0-or-later
"""What Word and PowerPoint files have in common: relations of parts, metadata, paragraphs and tables (ECMA-376)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from tars_app.documents.parsers.archive import Archive, Element, attribute, local, resolve
from tars_app.documents.parsers.layout import Layout

_SKIPPED = frozenset({"del", "moveFrom", "delText", "instrText", "Fallback", "rPr", "pPr", "tblPr", "tcPr", "sectPr"})
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011", "ptab": "\t"}
_NOTES = {"footnoteReference": "footnote", "endnoteReference": "endnote"}


def relations(archive: Archive, part: str) -> dict[str, tuple[str, str]]:
    """Return the relations of a part by their id: the kind (as "header"), and the name of the other part."""
    folder, _, name = part.rpartition("/")
    root = archive.optional_xml(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
    return {
        attribute(entry, "Id"): (attribute(entry, "Type").rpartition("/")[2], resolve(part, attribute(entry, "Target")))
        for entry in (root if root is not None else ())
        if attribute(entry, "TargetMode") != "External"
    }


def pictures(archive: Archive, part: str, root: Element) -> Iterator[str]:
    """Yield the names of the pictures of a part, as they follow one another in it; also those of drawings in VML."""
    related = relations(archive, part)
    for element in root.iter("{*}blip", "{*}imagedata"):
        for key, value in element.attrib.items():
            kind, target = related.get(str(value), ("", ""))
            if kind == "image" and key.endswith(("}embed", "}id")):
                yield target


def main_part(archive: Archive, default: str) -> str:
    """Return the name of the part with the document itself."""
    targets = (target for kind, target in relations(archive, "").values() if kind == "officeDocument")
    return next((target for target in targets if target in archive.names), default)


def office_date(archive: Archive) -> str | None:
    """Return the day on which the document was changed last, else created, as its metadata state."""
    root = archive.optional_xml("docProps/core.xml")
    dates = {local(entry): entry.text or "" for entry in (root if root is not None else ())}
    return (dates.get("modified") or dates.get("created") or "")[:10] or None


class Story:
    """Writes paragraphs and tables to a layout.

    Deleted text (tracked changes) and codes of fields are left out, inserted text is part of it. Text boxes, and notes
    (by kind and id), follow the paragraph that they belong to. `levels` are those of the styles of headings.
    """

    def __init__(
        self,
        layout: Layout,
        notes: Mapping[tuple[str, str], Element] | None = None,
        levels: Mapping[str, int] | None = None,
    ) -> None:
        self._layout, self._notes, self._levels = layout, notes or {}, levels or {}
        self._later: list[Element] = []

    def blocks(self, parent: Element) -> None:
        """Write all below an element."""
        for child in parent:
            name = local(child)
            if name in _SKIPPED:
                continue
            if name == "p":
                self._paragraph(child)
            elif name == "tbl":
                self._table(child)
            else:
                self.blocks(child)

    def _paragraph(self, element: Element) -> None:
        styles = (attribute(style, "val") for style in element.iterfind("{*}pPr/{*}pStyle")) if self._levels else ()
        self._layout.paragraph("".join(self._inline(element)), self._levels.get(next(iter(styles), ""), 0))
        self._write_later()

    def _write_later(self) -> None:
        later, self._later = self._later, []
        for element in later:
            self.blocks(element)

    def _inline(self, parent: Element) -> Iterator[str]:
        for child in parent:
            name = local(child)
            if name == "t":
                yield child.text or ""
            elif name in _SIGNS:
                yield _SIGNS[name]
            elif name in ("txbxContent", "txBody"):
                self._later.append(child)
            elif name in _NOTES:
                note = self._notes.get((_NOTES[name], attribute(child, "id")))
                self._later.extend(() if note is None else (note,))
            elif name not in _SKIPPED:
                yield from self._inline(child)

    def _table(self, table: Element) -> None:
        self._layout.end_table()
        for row in _children(table, "tr"):
            if not any(local(mark) == "del" for entry in row if local(entry) == "trPr" for mark in entry):
                self._layout.row(list(chain.from_iterable(map(self._cell, _children(row, "tc")))))
        self._layout.end_table()
        self._write_later()

    def _cell(self, cell: Element) -> list[str]:
        """Return the text of a cell, and an empty one for each further column that it covers."""
        layout = Layout()
        inner = Story(layout, self._notes)
        inner.blocks(cell)
        spans = [attribute(entry, "val") for entry in cell.iterfind("{*}tcPr/{*}gridSpan")]
        columns = int(spans[0]) if spans and spans[0].isdecimal() and len(spans[0]) < 3 else 1
        return [layout.text, *[""] * (columns - 1)]


def _children(parent: Element, name: str) -> Iterator[Element]:
    """Yield the elements of this name, also those in content controls and insertions."""
    for child in parent:
        if local(child) == name:
            yield child
        elif local(child) in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"):
            yield from _children(child, name)
