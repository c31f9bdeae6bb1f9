# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise one page of a file. To be called in a process with limits."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from tars_app.documents.parsers import pdf, picture, registry
from tars_app.documents.parsers.model import RecognizedPage, UnreadableError
from tars_app.documents.parsers.recognition import models, page

_PIXELS = 4_000_000
"""An A4 page at 200 dots an inch."""
_MOST_DPI = 300.0
_MOST_ENLARGED = 2.0


def recognize(name: str, content: bytes, number: int) -> RecognizedPage:
    """Return the text of a page, from 1, of a PDF or a picture, or of one that is within a mail or an Office document.

    Raises:
        UnreadableError: the page is damaged or too large.
    """
    if not registry.has_pages(name):
        attached = registry.parse(name, content).files.get(number)
        if attached is None:
            raise UnreadableError("The attachment or picture is not in the file.")
        return recognize(*attached())
    if registry.is_picture(name):
        image = picture.render(content, number, _PIXELS, _MOST_ENLARGED)
    else:
        image = pdf.render(content, number, _PIXELS, _MOST_DPI)
    return page.recognize(image, models.Models(threads()))


def answer(content: bytes, name: str, number: int) -> dict[str, Any]:
    """Return what `recognize` does for JSON, behind everything else that wants the processor. Raises as `recognize`."""
    with suppress(OSError):  # where the system does not allow that
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    recognized = recognize(name, content, number)
    return {"text": recognized.text, "boxes": recognized.boxes.hex()}


def threads() -> int:
    """Return how many threads recognise a page: not more than two, so that others have the rest."""
    return min(2, len(os.sched_getaffinity(0)))
