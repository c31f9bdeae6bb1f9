# SPDX-License-Identifier: GPL-3.0-or-later
"""How far reading has come, in words, and how long it takes."""

from __future__ import annotations

from typing import Any

import pytest

from tars_app.library.schemas import Counts, File
from tars_app.library.service import describe, progress


def rate(files: int = 0, size: int = 0, minutes: float | None = None, left: int = 0) -> dict[str, Any]:
    return {"files": files, "bytes": size, "minutes": minutes, "bytes_left": left}


@pytest.mark.parametrize(
    ("counts", "measured", "text", "minutes"),
    [
        (Counts(), rate(), "0 of 0 read", None),
        (Counts(read=3000, ignored=9), rate(), "3,000 of 3,000 read", None),
        (Counts(read=2990, failed=10), rate(50, 5, 1.0), "2,990 of 3,000 read, 10 not readable", None),
        (Counts(read=412, waiting=2588), rate(), "412 of 3,000 read", None),
        (Counts(read=412, waiting=2588), rate(2157, 0, 10), "412 of 3,000 read, about 12 minutes left", 12),
        (Counts(read=412, waiting=2000, found=588), rate(2157, 0, 10), "412 of 3,000 read, about 12 minutes left", 12),
        # The small ones were read first: the bytes that are left decide.
        (Counts(read=90, waiting=10), rate(90, 9_000, 9, left=30_000), "90 of 100 read, about 30 minutes left", 30),
        (Counts(read=1, reading=1), rate(60, 0, 1), "1 of 2 read, about a minute left", 1),
        (Counts(read=1, waiting=6000), rate(10, 0, 10), "1 of 6,001 read, about 100 hours left", 6000),
    ],
)
def test_progress(counts: Counts, measured: dict[str, Any], text: str, minutes: int | None) -> None:
    result = progress(counts, measured)
    assert (result.text, result.minutes_left) == (text, minutes)


@pytest.mark.parametrize(
    ("path", "next_step"),
    [
        ("house/lease.doc", "Save it as DOCX, with Word or LibreOffice."),
        ("house/TALK.PPT", "Save it as PPTX, with PowerPoint or LibreOffice."),
        ("mails/winmail.dat", "Outlook has packed the attachments of a mail into it (TNEF)"),
        ("house/other.dat", "Save the document in a format that is read, as PDF."),
        ("film.mkv", "Save the document in a format that is read, as PDF."),
    ],
)
def test_what_to_do_about_a_file_of_another_format_depends_on_the_format(path: str, next_step: str) -> None:
    nothing = dict.fromkeys(File.model_fields)
    row = {**nothing, "source": "LLM_docs", "path": path, "state": "ignored", "because": "format", "earlier": False}
    described = describe({**row, "error": None})
    assert described.reason == f"Files of this format ({path[-4:]}) are not read."
    assert described.next_step and described.next_step.startswith(next_step)
