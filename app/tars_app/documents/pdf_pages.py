# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a PDF's pages: stdin is the file, stdout a JSON object {"pages": [...], "date": ...} or {"error": "..."}.

A program of its own, run by `extract`: a damaged PDF may crash the reader or make it use all memory there is, and must
take nothing else with it. It imports nothing of the application.
"""

from __future__ import annotations

import json
import resource
import sys

import pypdfium2 as pdfium

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_S = 300
MOST_PAGES = 5000
_LINE_END_HYPHENS = ("\x02\r\n", "\x02\n", "\ufffe\r\n", "\ufffe\n", "\x02", "\ufffe")


def clean(text: str) -> str:
    """PDFium's page text with plain line ends, and words that were hyphenated at a line end in one piece."""
    for hyphen in _LINE_END_HYPHENS:
        text = text.replace(hyphen, "")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def read(content: bytes) -> dict[str, object]:
    """Return the text of all pages and the date of the metadata, or one sentence with the reason why there is none."""
    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if "assword" in str(error):
            return {"error": "The PDF is encrypted: save it without a password to have it read."}
        return {"error": "The file contains no readable PDF data."}
    if len(document) > MOST_PAGES:
        return {"error": f"The PDF has {len(document)} pages; more than {MOST_PAGES} are not read."}
    pages = []
    for number in range(len(document)):
        try:
            pages.append(clean(document[number].get_textpage().get_text_range()))
        except pdfium.PdfiumError:
            return {"error": f"Page {number + 1} of the PDF is damaged."}
    return {"pages": pages, "date": metadata_date(document)}


def metadata_date(document: pdfium.PdfDocument) -> str:
    """Return when the PDF was made or last changed, in the notation of PDF (D:20230504...); empty where unknown."""
    return str(document.get_metadata_value("CreationDate") or document.get_metadata_value("ModDate"))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(read(sys.stdin.buffer.read()), sys.stdout)
