# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of each format, by its name, from which hostile ones are made."""

from __future__ import annotations

from . import test_mails, test_pages, test_slides, test_spreadsheets, test_texts
from .office_files import archive, docx, odf

FILES = {
    "a.docx": docx(test_texts.BODY, test_texts.NOTES),
    "a.odt": odf("text", test_texts.ODT),
    "a.rtf": test_texts.RTF,
    "a.pptx": test_slides.SLIDES,
    "a.odp": odf("presentation", "<draw:page><text:p>Slide</text:p></draw:page>"),
    "a.xlsx": test_spreadsheets.xlsx(),
    "a.xls": test_spreadsheets.XLS,
    "a.ods": test_spreadsheets.ods(test_spreadsheets.ROWS),
    "a.csv": b"Item;Amount\nRent;900\n",
    "a.html": test_pages.PAGE.encode(),
    "a.epub": archive(test_pages.BOOK),
    "a.eml": test_mails.message().as_bytes(),
    "a.mbox": test_mails.folder(),
    "a.msg": test_mails.outlook(),
}
