# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which a page with columns is read, from the boxes of its text.

A page is cut at the gutter that the fewest boxes cross. Lines that cross it, as titles do, divide the columns into
bands. A band counts as columns only where these are clear: lines of text that fill both, side by side. A table, or the
labels and values of a form, is left in its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_FEWEST_LINES = 5
_NARROWEST_GUTTER = 8.0
"""Points (1/72 inch)."""
_NARROWEST_COLUMN = 0.2
"""Share of the width of the text."""
_FULL_LINE, _FULL_LINES = 0.6, 0.5
"""A column is filled by lines of this share of its width, and this share of its lines are such."""
_MOST_CROSSING = 0.2
"""Share of the boxes that may cross a gutter."""
_MIDDLE = 0.2
"""A gutter lies at least this share of the width away from either side."""
_DEEPEST = 3
_WIDEST = 5000
"""Points. Larger pages are drawings."""


@dataclass(frozen=True)
class Box:
    """A rectangle of a page in points; `bottom` is below `top`."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        """The height of its centre."""
        return (self.bottom + self.top) / 2


def reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Return the areas of a page in the order in which they are read; none where it has no clear columns."""
    areas = _areas(boxes, 0)
    return areas if len(areas) > 1 else []


def _areas(boxes: Sequence[Box], depth: int) -> list[Box]:
    around = _around(boxes)
    gutter = _gutter(boxes, around) if depth < _DEEPEST else None
    if gutter is None:
        return [around]
    areas: list[Box] = []
    rows: list[Box] = []  # in succession, to be read across
    for band, is_crossing in _bands(boxes, gutter):
        sides = [box for box in band if box.right <= gutter], [box for box in band if box.left >= gutter]
        if is_crossing or not _are_columns(*sides, around):
            rows += band
            continue
        areas += [_around(rows)] if rows else []
        rows = []
        for side in sides:
            areas += _areas(side, depth + 1)
    return areas + ([_around(rows)] if rows else [])


def _gutter(boxes: Sequence[Box], around: Box) -> float | None:
    """Return the middle of the widest strip that the fewest boxes cross, None where there is no such strip."""
    width = around.right - around.left
    if len(boxes) < 2 * _FEWEST_LINES or not 0 < width < _WIDEST:
        return None
    changes = [0] * (int(width) + 3)
    for box in boxes:
        changes[int(box.left - around.left)] += 1
        changes[int(box.right - around.left) + 1] -= 1
    crossing = list(accumulate(changes))
    begin, end = int(width * _MIDDLE), int(width * (1 - _MIDDLE))
    fewest = min(crossing[begin : end + 1])
    if fewest > _MOST_CROSSING * len(boxes):
        return None
    best, start = (0, 0), None
    for place in range(begin, end + 2):
        if place <= end and crossing[place] == fewest:
            start = place if start is None else start
        elif start is not None:
            best, start = max(best, (place - start, start)), None
    length, first = best
    return around.left + first + length / 2 if length >= _NARROWEST_GUTTER else None


def _bands(boxes: Sequence[Box], gutter: float) -> list[tuple[list[Box], bool]]:
    """Return the boxes from the top down, in bands: those at the height of one that crosses the gutter, and others."""
    crossing = [box for box in boxes if box.left < gutter < box.right]
    bands: list[tuple[list[Box], bool]] = []
    for box in sorted(boxes, key=lambda box: (-box.middle, box.left)):
        is_crossing = any(other.bottom <= box.middle <= other.top for other in crossing)
        if not bands or bands[-1][1] != is_crossing:
            bands.append(([], is_crossing))
        bands[-1][0].append(box)
    return bands


def _are_columns(left: Sequence[Box], right: Sequence[Box], around: Box) -> bool:
    if min(len(left), len(right)) < _FEWEST_LINES:
        return False
    first, second = _around(left), _around(right)
    if second.left - first.right < _NARROWEST_GUTTER:
        return False
    shorter = min(first.top - first.bottom, second.top - second.bottom)
    if min(first.top, second.top) - max(first.bottom, second.bottom) < shorter / 2:
        return False
    least = _NARROWEST_COLUMN * (around.right - around.left)
    return all(side.right - side.left >= least for side in (first, second)) and _is_filled(left) and _is_filled(right)


def _is_filled(column: Sequence[Box]) -> bool:
    lines: list[Box] = []
    for box in sorted(column, key=lambda box: (-box.middle, box.left)):
        if lines and box.middle >= lines[-1].bottom:
            lines[-1] = _around([lines[-1], box])
        else:
            lines.append(box)
    around = _around(column)
    full = sum(line.right - line.left >= _FULL_LINE * (around.right - around.left) for line in lines)
    return len(lines) >= _FEWEST_LINES and full >= _FULL_LINES * len(lines)


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min((box.left for box in boxes), default=0.0),
        min((box.bottom for box in boxes), default=0.0),
        max((box.right for box in boxes), default=0.0),
        max((box.top for box in boxes), default=0.0),
    )
