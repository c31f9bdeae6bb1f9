# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference page of the formats, from the registry and the parsers."""

from __future__ import annotations

import inspect
from importlib import import_module

from tars_app.documents.parsers import archive, book, layout, pdf, picture
from tars_app.documents.parsers.mails import mail_folder, messages
from tars_app.documents.parsers.office import pictures, sheets, slides
from tars_app.documents.parsers.process import RECOGNITION
from tars_app.documents.parsers.registry import FORMATS, UNREAD, Format

_HEAD = """# Formats

Which files are read, what a citation of them names, and what is read of them. Each file is parsed in
[a process of its own](../decisions/0028-a-process-per-file.md); one that is damaged, encrypted or too large is reported
with its reason. Why these libraries: [decision 30](../decisions/0030-formats-by-light-libraries.md).

The text of pictures, and of pages of a PDF that have none or an unusable one, is recognised, also of those that are
attached to a mail, and of pictures in text documents and presentations
([decision 35](../decisions/0035-recognition-of-scans.md)); its citations have "recognised" after the page.

Generated from [the registry](../../app/tars_app/documents/parsers/registry.py) by
`PYTHONPATH=app python -m tars_app.documents.parsers.reference`.

| Format | Suffixes | Place in a citation | What is read | Read by |
|---|---|---|---|---|
"""


_UNREAD = """
## Not read

Files of other formats are listed as ignored, and attachments are named in a note beside the mail. Of these, it is
stated what to do:

| Files | What to do |
|---|---|
"""
_LIMITS = """
## Limits

A file beyond these is not read, and its reason names the limit; of a sheet, a mail or further pages, the rest is left
out with a note. A page that cannot be recognised is named, and the others are kept.

| Limit | Value |
|---|---|
"""


def page() -> str:
    """Return the page, in Markdown."""
    formats = "".join(f"{_row(form)}\n" for form in FORMATS)
    unread = "".join(f"| {' '.join(f'`{name}`' for name in names)} | {words} |\n" for names, words in UNREAD.items())
    return (
        _HEAD
        + formats
        + _UNREAD
        + unread
        + _LIMITS
        + "".join(f"| {name} | {value} |\n" for name, value in _limits().items())
    )


def _limits() -> dict[str, str]:
    mib = 1024**2
    return {
        "text of a file": f"{layout.MOST_CHARACTERS:,} characters",
        "part of an Office, OpenDocument or EPUB file, unpacked": f"{archive.MOST_PART_BYTES // mib} MiB",
        "all parts with text, unpacked": f"{archive.MOST_BYTES // mib} MiB",
        "pages of a PDF; of a TIFF": f"{pdf.MOST_PAGES:,}; {picture.MOST_PAGES:,}",
        "points of a picture": f"{picture.MOST_PIXELS:,}; of a JPEG {picture.MOST_JPEG_PIXELS:,}",
        "recognising a page": f"{RECOGNITION.processor_s} s of processor time, {RECOGNITION.memory_bytes // mib:,} MiB",
        "slides": f"{slides.MOST_SLIDES:,}",
        "chapters": f"{book.MOST_CHAPTERS:,}",
        "sheets; rows and columns of one": f"{sheets.MOST_SHEETS}; {sheets.MOST_ROWS:,} and {sheets.MOST_COLUMNS:,}",
        "cells of all sheets": f"{sheets.MOST_CELLS:,}",
        "mails of a folder": f"{mail_folder.MOST_MESSAGES:,}",
        "attachments; mails within one another": f"{messages.MOST_ATTACHMENTS}; {messages.MOST_LEVELS}",
        "pictures of a document that are recognised": f"{pictures.MOST_PICTURES}",
        "a picture of a document, to be recognised": f"from {pictures.LEAST_BYTES // 1024} KiB",
        "scanned pages of attachments of one file": f"{messages.MOST_SCANNED}",
    }


def _row(form: Format) -> str:
    parse = import_module(f"{__package__}.{form.module}").parse
    what = (inspect.getdoc(parse) or "").partition("\n")[0].removeprefix("Return ").rstrip(".")
    suffixes = " ".join(f"`{suffix}`" for suffix in form.suffixes)
    return f"| {form.name} | {suffixes} | {form.place} | {what[:1].upper()}{what[1:]} | {form.library} |"


if __name__ == "__main__":
    print(page(), end="")
