# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of HTML: of pages, of chapters of a book, and of mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape

from lxml import etree

from tars_app.documents.parsers.archive import Element, attribute, local, parse_xml, require_memory
from tars_app.documents.parsers.encoding import Decoded, decode
from tars_app.documents.parsers.layout import Layout, names
from tars_app.documents.parsers.model import UnreadableError

_SKIPPED = names(
    "script style template noscript head nav svg math select datalist button input textarea iframe object embed "
    "canvas audio video map dialog"
)
_BLOCKS = names(
    "address article aside blockquote body caption center dd details dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu ol optgroup option p pre section "
    "summary table tbody td tfoot th thead tr ul"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MAIN_SHARE = 0.25
"""An element for the main text is believed where it has at least this share of the page's text."""
_META = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_HEAD_BYTES = 4096
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_XHTML = "http://www.w3.org/1999/xhtml"
_LINE_BREAK = "\x00"
_AROUND_BREAK = re.compile(f" ?{_LINE_BREAK} ?")
_MOST_LEVELS = 150
"""What is nested deeper is read as one paragraph."""
_LONGEST_CELL = 1000
"""A table with more text in a cell arranges a page, and holds no data."""


def decode_markup(content: bytes) -> Decoded:
    """Return the text of an HTML or XHTML file, in the encoding of its mark, of UTF-8, or that it states.

    Raises:
        UnreadableError: the content is not text.
    """
    stated = _META.search(content[:_HEAD_BYTES])
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        if stated and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            with suppress(LookupError, ValueError):  # unknown, or not what the file is in
                return Decoded(content.decode(stated[1].decode("ascii")))
    return decode(content)


def tree_of(text: str) -> Element:
    """Return the root element of XHTML, or of HTML, which may be damaged in any way.

    Raises:
        UnreadableError: it has no element, or is nested more deeply than any page.
    """
    content = _DECLARATION.sub("", text).encode("utf-8", "replace")
    if _XHTML in text[:_HEAD_BYTES]:
        with suppress(UnreadableError):  # as so many; browsers read it as HTML
            return parse_xml(content, "page")
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        require_memory(error)
        root = None
    if root is None:
        raise UnreadableError("The file has no text: it holds no HTML.")
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise UnreadableError("The page is damaged: its elements are nested deeper than 2048.")
    return root


def title_of(root: Element) -> str:
    """Return the title in the head of a page; empty where there is none."""
    titles = ("".join(title.itertext()) for title in root.iterfind(".//{*}head/{*}title"))
    return _SPACE.sub(" ", next(titles, "")).strip()


def main_element(root: Element) -> Element:
    """Return the element that holds the main text (main, or the only article), else the whole page."""
    for elements in (
        [element for element in root.iter() if local(element) == "main" or attribute(element, "role") == "main"],
        list(root.iter("{*}article")),
    ):
        if len(elements) == 1 and len(text_of(elements[0])) >= _MAIN_SHARE * len(text_of(root)):
            return elements[0]
    return root


def text_of(root: Element) -> str:
    """Return the text as a browser shows it: paragraphs apart by an empty line, a row of a table in each line.

    Raises:
        UnreadableError: it is too long.
    """
    return layout_of(root).text


def layout_of(root: Element) -> Layout:
    """Return that text with its headings.

    Raises:
        UnreadableError: it is too long.
    """
    layout = Layout()
    writer = _Writer(layout)
    writer.walk(root, 0)
    writer.flush()
    return layout


class _Writer:
    """Writes the text of elements to a layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pieces: list[str] = []
        self._level = 0

    def flush(self) -> None:
        """End the paragraph."""
        text = _AROUND_BREAK.sub("\n", _SPACE.sub(" ", "".join(self._pieces)))
        self._pieces.clear()
        self._layout.paragraph(text, self._level)

    def walk(self, element: Element, level: int) -> None:
        """Write all below an element."""
        self._pieces.append(element.text or "")
        for child in element:
            if child.tag is etree.Entity:
                self._pieces.append(unescape(child.text or ""))
            elif not _is_skipped(child):
                self._element(child, level + 1)
            self._pieces.append(child.tail or "")

    def _element(self, element: Element, level: int) -> None:
        name = local(element)
        if name == "br":
            self._pieces.append(_LINE_BREAK)
        elif level > _MOST_LEVELS:
            self._pieces.extend(f" {text}" for text in _flat(element))
        elif name == "pre":
            self.flush()
            self._layout.paragraph("".join(_flat(element)))
        elif name == "table" and (rows := _data_of(element)):
            self.flush()
            self._layout.end_table()
            for row in rows:
                self._layout.row(row)
            self._layout.end_table()
        elif name in _BLOCKS:
            self.flush()
            outer, self._level = self._level, _HEADINGS.get(name, self._level)
            self.walk(element, level)
            self.flush()
            self._level = outer
        else:
            self.walk(element, level)


def _is_skipped(element: Element) -> bool:
    return (
        local(element) in _SKIPPED
        or element.get("hidden") is not None
        or bool(_HIDDEN.search(element.get("style") or ""))
    )


def _flat(element: Element) -> Iterator[str]:
    """Yield the texts below an element, at any depth."""
    skipped: Element | None = None
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        if skipped is None and event == "start" and inner is not element and _is_skipped(inner):
            skipped = inner
        elif skipped is None and event == "start":
            yield inner.text or ""
        elif inner is skipped:
            skipped = None
        if event == "end" and skipped is None and inner is not element:
            yield inner.tail or ""


def _data_of(table: Element) -> list[list[str]]:
    """Return the rows of a table of data; nothing for one that arranges a page, or stands within such a one's cell."""
    if next(table.iterdescendants("{*}table"), None) is not None:
        return []
    rows = []
    for row in table.iter("{*}tr"):
        cells: list[str] = []
        for cell in row:
            if local(cell) in ("td", "th") and not _is_skipped(cell):
                cells += [text_of(cell), *[""] * (_columns(cell) - 1)]
        rows.append(cells)
    is_data = max(map(len, rows), default=0) > 1 and all(len(cell) <= _LONGEST_CELL for row in rows for cell in row)
    return rows if is_data else []


def _columns(cell: Element) -> int:
    span = attribute(cell, "colspan")
    return int(span) if span.isdecimal() and len(span) < 3 and int(span) else 1
