# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures in an Office document, whose text is recognised like that of scanned pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from tars_app.documents.parsers import registry
from tars_app.documents.parsers.archive import Archive
from tars_app.documents.parsers.model import Parsed, Section

MOST_PICTURES = 200
"""Of one document. Further ones are left out, with a note."""
LEAST_BYTES = 16 * 1024
"""Smaller ones are logos and drawings; a legible part of a page has more."""


def with_pictures(parsed: Parsed, archive: Archive, pictures: Iterable[tuple[str, str]]) -> Parsed:
    """Return what was read of a document with its pictures as pages to recognise.

    `pictures` are the names of parts of the archive, and where each stands ("slide 3", or nothing), in the order of the
    document. A picture that occurs several times is one.
    """
    first_places: dict[str, str] = {}
    for name, place in pictures:
        if registry.is_picture(name) and archive.size(name) >= LEAST_BYTES:
            first_places.setdefault(name, place)
    last = parsed.sections[-1].number if parsed.sections else 0
    places: list[Section] = []
    files: dict[int, Callable[[], tuple[str, bytes, int]]] = {}
    for count, (name, place) in enumerate(list(first_places.items())[:MOST_PICTURES], 1):
        label = f"{place}, picture" if place else f"picture {count}"
        places.append(Section(last + count, "", f"{label}, recognised"))
        files[last + count] = partial(_file, archive, name)
    left = len(first_places) - len(places)
    return replace(
        parsed,
        notes=[*parsed.notes, *([f"The text of {left} further pictures is not recognised."] if left else [])],
        scanned=[place.number for place in places],
        pages=last + len(places) if places else 0,
        places=places,
        files=files,
    )


def _file(archive: Archive, name: str) -> tuple[str, bytes, int]:
    return name, archive.read(name), 1
