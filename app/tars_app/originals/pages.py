# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of PDF files, scans and photos: their pictures, and where quotations stand on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar
from uuid import UUID

from tars_app.documents.parsers.marks import find_marks
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.page_view import BusyError, draw_page, mark_page
from tars_app.documents.parsers.registry import has_pages
from tars_app.kit.errors import RefusedError, UnavailableError
from tars_app.originals.repository import recognized_words
from tars_app.originals.schemas import Mark, PageView
from tars_app.originals.service import Originals
from tars_app.retrieval.places import Passage

T = TypeVar("T")

NOT_FOUND = "The quotation was not found in the text of this page, so nothing is marked."


class NoPageError(RefusedError):
    """The file has no pages, or not this one, or it cannot be shown."""

    code = "no_page"
    status = 409


def picture(originals: Originals, version_id: UUID, number: int) -> bytes:
    """Return the picture (PNG) of a page.

    Raises:
        RefusedError: as `Originals.find`, or the page cannot be shown.
        UnavailableError: the share does not answer, or this computer is busy.
    """
    return _of_page(originals, version_id, lambda name, content: draw_page(name, content, number))


def page_of(originals: Originals, passage: Passage, before: str, quotation: str | None) -> PageView:
    """Return the page of a passage, and where the quotation (None: the whole passage) stands on it.

    `before` is the text of the page before the passage. Raises as `picture`.
    """
    number = passage.page or 1
    wanted = quotation or passage.text
    start = passage.text.find(wanted)
    leading = before + passage.text[:start] if start >= 0 else ""
    page = _of_page(
        originals, passage.version_id, lambda name, content: mark_page(name, content, number, wanted, leading)
    )
    words = [] if page.marks else recognized_words(originals.dependencies.pool, passage.version_id, number)
    marks = page.marks or find_marks(words, wanted, leading)
    return PageView(
        version_id=passage.version_id,
        page=number,
        width=page.width,
        height=page.height,
        marks=[Mark(**asdict(mark)) for mark in marks],
        note=None if marks else NOT_FOUND,
    )


def _of_page(originals: Originals, version_id: UUID, show: Callable[[str, bytes], T]) -> T:
    opened = originals.find(version_id)
    if not has_pages(opened.version.name):
        raise NoPageError(
            f"{opened.place.name}: found a file without pages, expected a PDF, a scan or a photo",
            "Download it, and open it.",
        )
    opened, content = originals.content(version_id)
    try:
        return show(opened.version.name, content)
    except UnreadableError as error:
        raise NoPageError(f"{opened.place.name}: {error}", "Download it, and open it with another program.") from error
    except (BusyError, MemoryError, OSError) as error:
        raise UnavailableError("This computer is too busy to show the page.", "Try again in a minute.") from error
