# SPDX-License-Identifier: GPL-3.0-or-later
"""What a parser returns: the sections of a file, its scanned pages, the date of its metadata, and notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby


class UnreadableError(Exception):
    """The file has no text that can be used. The message is one sentence: what is wrong, and what to do."""


@dataclass(frozen=True)
class Section:
    """A part of a file with a place of its own.

    `number` counts from 1 in the order of the file; it is 0 where the file has one part without a place. A part that is
    divided at its headings has several sections with its number, one after the other. `text` is quoted letter for
    letter, and has "\\n" as line ends. `label` is the place as people see it ("page 3", "slide 2",
    "sheet Costs"), and empty with number 0. `header` is indexed and given to the model with each passage of the
    section, and is never quoted: the header row of a table, subject and sender of a mail, the headings above a text.
    """

    number: int
    text: str
    label: str = ""
    header: str = ""


@dataclass(frozen=True)
class Parsed:
    """The text of a file.

    `scanned` are the numbers of the pages whose text has to be recognised, of `pages` pages. `date` is the day
    (2023-05-04), month or year that its metadata or its mail header claims, and `dated_by` where ("PDF metadata",
    "Office metadata", "mail header"). `notes` are sentences about what else was not read.

    Where scanned pages are those of attachments or pictures, `places` has a section without text for each of them, and
    `files` what returns the name and content of that file, and which of its pages it is, by the number in `scanned`.
    """

    sections: list[Section]
    date: str | None = None
    dated_by: str = ""
    notes: list[str] = field(default_factory=list)
    scanned: list[int] = field(default_factory=list)
    pages: int = 0
    places: list[Section] = field(default_factory=list)
    files: dict[int, Callable[[], tuple[str, bytes, int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class RecognizedPage:
    """The text of a scanned page, which is quoted as that of a section, and where its words stand (see boxes.py)."""

    text: str
    boxes: bytes


def pages_without_text(pages: Sequence[int], total: int) -> str:
    """Return a note about pages of a file that has no text of them."""
    return f"{len(pages)} of {total} pages {'has' if len(pages) == 1 else 'have'} no text: {ranges(pages)}."


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers with runs in short: "1, 3-5"."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
