# SPDX-License-Identifier: GPL-3.0-or-later
"""Books (EPUB 2 and 3): the chapters in the order in which they are read."""

from __future__ import annotations

import re

from tars_app.documents.parsers.archive import Archive, Element, attribute, local, resolve
from tars_app.documents.parsers.layout import check_length
from tars_app.documents.parsers.markup import decode_markup, text_of, tree_of
from tars_app.documents.parsers.model import Parsed, Section, UnreadableError

MOST_CHAPTERS = 5000
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways in which fonts are obscured; the text of such a book can be read."""
_LONGEST_TITLE = 80
_DAY = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")


def parse(content: bytes) -> Parsed:
    """Return the chapters, numbered in the order of the book's spine, with their first heading.

    Raises:
        UnreadableError: the file is damaged, protected, or not a book.
    """
    archive = Archive(content, "a book (EPUB)")
    if _is_protected(archive):
        raise UnreadableError("The book is protected against copying, so that its text cannot be read.")
    container = archive.xml("META-INF/container.xml")
    name = next((attribute(entry, "full-path") for entry in container.iter("{*}rootfile")), "")
    package = archive.xml(name)
    items = {attribute(entry, "id"): entry for entry in package.iterfind("{*}manifest/{*}item")}
    spine = [attribute(entry, "idref") for entry in package.iterfind("{*}spine/{*}itemref")]
    chapters = [resolve(name, attribute(items[key], "href")) for key in spine if key in items]
    if len(chapters) > MOST_CHAPTERS:
        raise UnreadableError(f"The book has {len(chapters)} chapters; more than {MOST_CHAPTERS} are not read.")
    missing = [chapter for chapter in chapters if chapter not in archive.names]
    sections: list[Section] = []
    for chapter in chapters:
        if chapter in archive.names:
            sections.append(_chapter(archive, len(sections) + 1, chapter))
            check_length(sum(len(section.text) for section in sections))
    notes = [f"{len(missing)} of {len(chapters)} chapters are missing in the file."] if missing else []
    date = _date(package)
    return Parsed(sections, date, "book metadata" if date else "", notes)


def _chapter(archive: Archive, number: int, name: str) -> Section:
    root = tree_of(decode_markup(archive.read(name)).text)
    headings = (text_of(element) for element in root.iter() if local(element) in ("h1", "h2", "h3"))
    title = " ".join(next(headings, "").split())
    named = f": {title}" if title and len(title) <= _LONGEST_TITLE else ""
    return Section(number, text_of(root), f"chapter {number}{named}")


def _is_protected(archive: Archive) -> bool:
    root = archive.optional_xml("META-INF/encryption.xml")
    methods = root.iter("{*}EncryptionMethod") if root is not None else ()
    return any(attribute(method, "Algorithm") not in _FONTS for method in methods)


def _date(package: Element) -> str | None:
    dates = (entry.text or "" for entry in package.iterfind("{*}metadata/{*}date"))
    return next((match[0] for text in dates if (match := _DAY.match(text.strip()))), None)
