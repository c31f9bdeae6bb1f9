# SPDX-License-Identifier: GPL-3.0-or-later
"""Extract the text of a file, page by page, and the date of its metadata."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from tars_app.documents.model import NO_PAGE, Page, UnreadableError
from tars_app.kit.errors import summarize
from tars_app.kit.text import storable

PDF_TIMEOUT_S = 600


@dataclass(frozen=True)
class Extraction:
    """The pages of a file that have text, and the date of a PDF's metadata as it stands there (D:20230504...)."""

    pages: list[Page]
    pdf_date: str | None = None


def extract(path: str, content: bytes) -> Extraction:
    """Return the pages of a file that have text, of which there is at least one.

    Raises:
        UnreadableError: the file is damaged, encrypted, or has no text.
        MemoryError, OSError: this computer is short of something; try again later.
    """
    try:
        raw = _read_pdf(content) if path.lower().endswith(".pdf") else Extraction([Page(NO_PAGE, decode(content))])
        pages = [Page(page.number, text) for page in raw.pages if (text := storable(page.text)).strip()]
    except (UnreadableError, MemoryError, OSError):
        raise
    except Exception as error:
        raise UnreadableError(f"The file is damaged: its reader failed ({summarize(error)}).") from error
    if not pages:
        raise UnreadableError("The file has no text. Scanned pages have to go through text recognition first.")
    return Extraction(pages, raw.pdf_date)


def decode(content: bytes) -> str:
    """Return the text of a plain file: UTF-8 where it is valid, else in the encoding that fits best.

    Raises:
        UnreadableError: the content is not text.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(content).best()
        if best is None:
            raise UnreadableError("The file is not text in any known encoding.") from None
        text = str(best)
    if text.count("\x00") > len(text) // 100:
        raise UnreadableError("The file is not text: it holds binary data.")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _read_pdf(content: bytes) -> Extraction:
    program = Path(__file__).with_name("pdf_pages.py")
    try:
        done = subprocess.run(
            [sys.executable, str(program)],
            input=content,
            capture_output=True,
            timeout=PDF_TIMEOUT_S,
            check=False,
            # It needs the path to the packages only, and no password.
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"The PDF could not be read within {PDF_TIMEOUT_S} s.") from None
    if done.returncode != 0:
        raise UnreadableError(f"The PDF is damaged: its reader ended with code {done.returncode}.")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise UnreadableError(answer["error"])
    pages = [Page(number, text) for number, text in enumerate(answer["pages"], 1)]
    return Extraction(pages, answer["date"] or None)
