# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that are read: the only list of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from tars_app.documents.parsers.model import Parsed, UnreadableError


@dataclass(frozen=True)
class Format:
    """A format of files.

    `suffixes` are in lower case, with their point. `module` is the module of this folder with its `parse`. `place` is
    what a citation names, and `library` what reads the format. `is_picture` marks those whose text is only recognised.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    place: str
    library: str
    is_picture: bool = False


FORMATS: tuple[Format, ...] = (
    Format("Text", (".txt",), "text", "none", "charset-normalizer"),
    Format("Markdown", (".md", ".markdown"), "markdown", "none", "charset-normalizer"),
    Format("PDF", (".pdf",), "pdf", "page", "PDFium (pypdfium2), PP-OCRv6 for scans"),
    Format("Word", (".docx", ".docm"), "office.word", "none", "lxml"),
    Format("OpenDocument text", (".odt",), "office.odt", "none", "lxml"),
    Format("Rich Text", (".rtf",), "office.rich_text", "none", "own"),
    Format("PowerPoint", (".pptx", ".pptm", ".ppsx"), "office.slides", "slide", "lxml"),
    Format("OpenDocument presentation", (".odp",), "office.odp", "slide", "lxml"),
    Format("Excel", (".xlsx", ".xlsm"), "office.workbook", "sheet, row and column", "openpyxl"),
    Format("Excel, binary", (".xls", ".xlsb"), "office.old_workbook", "sheet, row and column", "calamine"),
    Format("OpenDocument spreadsheet", (".ods",), "office.ods", "sheet, row and column", "lxml"),
    Format("Table as text", (".csv", ".tsv"), "office.delimited", "row and column", "standard library"),
    Format("Web page", (".html", ".htm", ".xhtml"), "web_page", "none", "lxml"),
    Format("Book", (".epub",), "book", "chapter", "lxml"),
    Format("Mail", (".eml",), "mails.mail", "message", "standard library"),
    Format("Folder of mails", (".mbox",), "mails.mail_folder", "message", "standard library"),
    Format("Mail of Outlook", (".msg",), "mails.outlook", "message", "olefile, compressed-rtf"),
    Format(
        "Scan or photo",
        (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".heic", ".heif"),
        "picture",
        "page",
        "Pillow, pi-heif, PP-OCRv6",
        is_picture=True,
    ),
)
UNREAD: dict[tuple[str, ...], str] = {
    (".doc", ".dot", ".wri", ".wps"): "Save it as DOCX, with Word or LibreOffice.",
    (".ppt", ".pps", ".pot"): "Save it as PPTX, with PowerPoint or LibreOffice.",
    (".pages", ".numbers"): "Export it as PDF, or as an Office document, from the program that wrote it.",
    (".dwg", ".pub", ".vsd", ".vsdx", ".one", ".xps"): "Export it as PDF, from the program that wrote it.",
    (".zip", ".7z", ".rar", ".tar", ".gz"): "Unpack it into the share.",
    ("winmail.dat", ".tnef"): (
        "Outlook has packed the attachments of a mail into it (TNEF): open the mail in Outlook and save them, or ask "
        "the sender for a mail as HTML or plain text."
    ),
}
"""What a person can do about files that are not read, by their suffixes or whole names in lower case."""
SUFFIXES = frozenset(suffix for form in FORMATS for suffix in form.suffixes)


def find_format(name: str) -> Format | None:
    """Return the format of a file by its name, None for a file that is not read."""
    suffix = os.path.splitext(name)[1].lower()
    return next((form for form in FORMATS if suffix in form.suffixes), None)


def advice(name: str) -> str | None:
    """Return what a person can do about a file of this name, which is not read; None where that is not known."""
    name = name.lower()
    endings = (os.path.splitext(name)[1], os.path.basename(name))
    return next((words for known, words in UNREAD.items() if not set(known).isdisjoint(endings)), None)


def is_picture(name: str) -> bool:
    """Return whether a file has this name whose whole text has to be recognised."""
    form = find_format(name)
    return form is not None and form.is_picture


def has_pages(name: str) -> bool:
    """Return whether a file of this name has pages that can be shown as pictures."""
    form = find_format(name)
    return form is not None and (form.module == "pdf" or form.is_picture)


def load(name: str) -> None:
    """Import the parser of a file of this name, so that a process that is forked afterwards has it."""
    if form := find_format(name):
        _module(form)


def parse(name: str, content: bytes) -> Parsed:
    """Return the text of a file or an attachment, by its name. To be called in a process with limits.

    Raises:
        UnreadableError: the file has no text that can be used, or is of another format.
    """
    form = find_format(name)
    if form is None:
        raise UnreadableError("Files of this format are not read.")
    parsed: Parsed = _module(form).parse(content)
    return parsed


def _module(form: Format) -> ModuleType:
    return import_module(f"{__package__}.{form.module}")
