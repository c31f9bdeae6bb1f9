# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a page in reading order, from its picture, with the place of each word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from PIL import Image

from tars_app.documents.parsers.columns import Box, reading_order
from tars_app.documents.parsers.hyphens import joints
from tars_app.documents.parsers.model import RecognizedPage
from tars_app.documents.parsers.recognition.boxes import WordBox, encode
from tars_app.documents.parsers.recognition.detection import Line, lines_of
from tars_app.documents.parsers.recognition.models import LINE_HEIGHT, Models, ReadLine, side

_DETECTED_PIXELS = 1_000_000
"""Of the picture in which lines are searched for: an A4 page at 100 dots an inch."""
_LEAST_CERTAIN = 0.5
_CERTAIN = 0.8
"""Mean certainty below which a page may be upside down."""
_LONGEST_LINE = 100.0
"""Ratio of length to height."""
_CELL_GAP, _PARAGRAPH_GAP = 1.5, 0.9
"""In heights of a line: from these on, a gap divides cells of a row, or paragraphs."""
_PAGE_POINTS = 595.0
_WORD = re.compile(r"\S+")
_FULL_WIDTH = {number: number - 0xFEE0 for number in range(0xFF01, 0xFF5F)}
_LATIN = re.compile("[A-Za-z]")


@dataclass(frozen=True)
class _Read:
    """A line, in pixels of the page that it stands on, and its text."""

    line: Line
    read: ReadLine


@dataclass(frozen=True)
class _Placed:
    """A line on the page with its text direction made horizontal: its rectangle, in points from the top left."""

    left: float
    top: float
    right: float
    bottom: float
    entry: _Read

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top


def recognize(page: Image.Image, models: Models) -> RecognizedPage:
    """Return the text of a page. It may be rotated slightly, lie on its side, or stand on its head."""
    lines = _lines(page, models)
    turns = 0
    if _is_on_its_side(lines):
        page, turns = page.transpose(Image.Transpose.ROTATE_90), 1
        lines = _lines(page, models)
    entries = _read(page, lines, models)
    if entries and _certainty(entries) < _CERTAIN:
        turned = page.transpose(Image.Transpose.ROTATE_180)
        others = _read(turned, _lines(turned, models), models)
        if _certainty(others) > _certainty(entries):
            page, turns, entries = turned, turns + 2, others
    entries = [entry for entry in entries if entry.read.certainty >= _LEAST_CERTAIN and entry.read.text.strip()]
    return _assembled(entries, page.size, turns)


def _lines(page: Image.Image, models: Models) -> list[Line]:
    scale = min(1.0, math.sqrt(_DETECTED_PIXELS / (page.width * page.height)))
    width, height = side(page.width * scale), side(page.height * scale)
    lines = lines_of(models.likelihood(np.asarray(page.resize((width, height), Image.Resampling.BILINEAR))))
    across, down = page.width / width, page.height / height
    return [
        replace(line, x=line.x * across, y=line.y * down, length=line.length * across, height=line.height * down)
        for line in lines
    ]


def _is_on_its_side(lines: Sequence[Line]) -> bool:
    steep = sum(line.length for line in lines if abs(line.angle) > math.pi / 4)
    return steep > sum(line.length for line in lines) / 2


def _read(page: Image.Image, lines: Sequence[Line], models: Models) -> list[_Read]:
    entries = []
    for line in lines:
        width = max(16, round(min(line.length / line.height, _LONGEST_LINE) * LINE_HEIGHT))
        finer = max(1, round(line.height / LINE_HEIGHT))
        corners = [value for place in ((0, 0), (0, 1), (1, 1), (1, 0)) for value in line.corner(*place)]
        size = width * finer, LINE_HEIGHT * finer
        strip = page.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
        read = models.read(np.asarray(strip if finer == 1 else strip.reduce(finer)))
        if _LATIN.search(read.text):
            read = replace(read, text=read.text.translate(_FULL_WIDTH))
        entries.append(_Read(line, read))
    return entries


def _certainty(entries: Sequence[_Read]) -> float:
    characters = sum(len(entry.read.text) for entry in entries)
    total = sum(entry.read.certainty * len(entry.read.text) for entry in entries)
    return total / characters if characters else 0.0


def _assembled(entries: Sequence[_Read], size: tuple[int, int], turns: int) -> RecognizedPage:
    """Return the text of lines in reading order, and the boxes of its words on the page before it was turned."""
    text = ""
    words: list[WordBox] = []
    for separator, entry in _ordered(entries, size):
        text += separator
        words += _words(entry, len(text), size, turns)
        text += entry.read.text
    return _without_hyphens(text, words)


def _ordered(entries: Sequence[_Read], size: tuple[int, int]) -> Iterator[tuple[str, _Read]]:
    """Yield the lines in reading order, each with what stands between it and the last one."""
    placed = _straightened(entries, size)
    height = median(line.height for line in placed) if placed else 0.0
    last: _Placed | None = None
    for column in _columns(placed):
        for row in _rows(column):
            for line in row:
                yield _separator(last, line, line is row[0], height), line.entry
                last = line


def _separator(last: _Placed | None, line: _Placed, is_new_row: bool, height: float) -> str:
    if last is None:
        return ""
    if not is_new_row:
        return "\t" if line.left - last.right > _CELL_GAP * height else " "
    return "\n" if 0 <= line.middle - last.middle < (1 + _PARAGRAPH_GAP) * max(height, line.height) else "\n\n"


def _straightened(entries: Sequence[_Read], size: tuple[int, int]) -> list[_Placed]:
    if not entries:
        return []
    angle = median(entry.line.angle for entry in entries)
    cosine, sine = math.cos(angle), math.sin(angle)
    scale = _PAGE_POINTS / size[0]
    placed = []
    for entry in entries:
        line = entry.line
        x, y = (line.x * cosine + line.y * sine) * scale, (line.y * cosine - line.x * sine) * scale
        half, tall = line.length * scale / 2, line.height * scale / 2
        placed.append(_Placed(x - half, y - tall, x + half, y + tall, entry))
    return placed


def _columns(lines: Sequence[_Placed]) -> list[list[_Placed]]:
    areas = reading_order([Box(line.left, -line.bottom, line.right, -line.top) for line in lines])
    if not areas:
        return [list(lines)]
    columns: list[list[_Placed]] = [[] for _ in areas]
    for line in lines:
        x, y = (line.left + line.right) / 2, -line.middle
        inside = (n for n, area in enumerate(areas) if area.left <= x <= area.right and area.bottom <= y <= area.top)
        columns[next(inside, 0)].append(line)
    return columns


def _rows(lines: Sequence[_Placed]) -> list[list[_Placed]]:
    """Return lines from the top down, those side by side together."""
    rows: list[list[_Placed]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if rows and abs(line.middle - rows[-1][0].middle) < 0.5 * min(line.height, rows[-1][0].height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _words(entry: _Read, begin: int, size: tuple[int, int], turns: int) -> Iterator[WordBox]:
    """Yield the words of a line that begins at a character of the text."""
    text, places = entry.read.text, entry.read.places
    steps = [after - before for before, after in pairwise(places)]
    half = median(steps) / 2 if steps else 0.5
    for match in _WORD.finditer(text):
        first, last = places[match.start()] - half, places[match.end() - 1] + half
        corners = [entry.line.corner(min(max(along, 0.0), 1.0), down) for along in (first, last) for down in (0, 1)]
        shares = [_turned_back(x / size[0], y / size[1], turns) for x, y in corners]
        across, down = zip(*shares, strict=True)
        yield WordBox(begin + match.start(), begin + match.end(), min(across), min(down), max(across), max(down))


def _turned_back(across: float, down: float, turns: int) -> tuple[float, float]:
    """Return a point of a page before quarter turns to the left, in shares of its sides."""
    for _ in range(turns):
        across, down = 1 - down, across
    return across, down


def _without_hyphens(text: str, words: Sequence[WordBox]) -> RecognizedPage:
    """Return a text with divided words in one piece, and their boxes, of which such a word has several."""
    parts: list[str] = []
    replaced = list(joints(text))
    end = 0
    for start, after, written in replaced:
        parts += (text[end:start], written)
        end = after
    parts.append(text[end:])
    moved: list[WordBox] = []
    for word in words:
        start, stop = _moved(word.start, replaced), _moved(word.end, replaced)
        if stop > start:
            moved.append(replace(word, start=start, end=stop))
    return RecognizedPage("".join(parts), encode(moved))


def _moved(place: int, replaced: Sequence[tuple[int, int, str]]) -> int:
    """Return where a place of a text is once parts of it (start and end) have been replaced."""
    shift = 0
    for start, after, written in replaced:
        if place <= start:
            break
        if place < after:
            return start + shift + len(written)
        shift += len(written) - (after - start)
    return place + shift
