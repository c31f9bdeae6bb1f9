# SPDX-License-Identifier: GPL-3.0-or-later
"""Presentations of PowerPoint (PPTX, ECMA-376 part 1, 19)."""

from __future__ import annotations

from tars_app.documents.parsers.archive import Archive, Element, attribute, local
from tars_app.documents.parsers.layout import Layout
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError
from tars_app.documents.parsers.office.ooxml import Story, main_part, office_date, pictures, relations
from tars_app.documents.parsers.office.pictures import with_pictures

MOST_SLIDES = 5000
_LEFT_OUT = frozenset({"sldNum", "dt", "hdr"})
"""Placeholders for the number of the slide, the date of the day and the header of a notes page."""


def parse(content: bytes) -> Parsed:
    """Return the slides in their order, each with its notes.

    Raises:
        UnreadableError: the file is damaged, encrypted, or not a presentation.
    """
    archive = Archive(content, "a PowerPoint presentation (PPTX)")
    part = main_part(archive, "ppt/presentation.xml")
    root = archive.xml(part)
    related = relations(archive, part)
    targets = [
        related[key][1] for entry in root.iterfind("{*}sldIdLst/{*}sldId") if (key := _relation_id(entry)) in related
    ]
    if len(targets) > MOST_SLIDES:
        raise UnreadableError(f"The presentation has {len(targets)} slides; more than {MOST_SLIDES} are not read.")
    sections: list[Section] = []
    shown: list[tuple[str, str]] = []
    for number, name in enumerate(targets, 1):
        root = archive.xml(name)
        sections.append(_slide(archive, number, name, root))
        shown += ((picture, sections[-1].label) for picture in pictures(archive, name, root))
    date = office_date(archive)
    return with_pictures(Parsed(sections, date, "Office metadata" if date else ""), archive, shown)


def _relation_id(entry: Element) -> str:
    """Return r:id, not the id of the slide itself."""
    return next((str(value) for key, value in entry.attrib.items() if key.endswith("}id")), "")


def _slide(archive: Archive, number: int, name: str, root: Element) -> Section:
    layout = Layout()
    _write(root, layout)
    for kind, target in relations(archive, name).values():
        if kind in ("notesSlide", "diagramData") and (other := archive.optional_xml(target)) is not None:
            _write(other, layout)
    hidden = " (hidden)" if attribute(root, "show") in ("0", "false") else ""
    return Section(number, layout.text, f"slide {number}{hidden}")


def _write(root: Element, layout: Layout) -> None:
    for shape in [shape for shape in root.iter("{*}sp") if _placeholder(shape) in _LEFT_OUT]:
        shape.getparent().remove(shape)
    Story(layout).blocks(root)


def _placeholder(shape: Element) -> str:
    return next((attribute(mark, "type") for mark in shape.iter("{*}ph") if local(mark) == "ph"), "")
