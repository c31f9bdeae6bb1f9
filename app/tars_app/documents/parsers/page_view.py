# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a page of a file: its picture, and where a quotation stands on it, from a process that the file cannot leave."""

from __future__ import annotations

import base64
import math
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tars_app.documents.parsers import process
from tars_app.documents.parsers.confinement import Limits
from tars_app.documents.parsers.marks import Rectangle

LIMITS = Limits(memory_bytes=768 * 1024 * 1024, processor_s=20, wall_s=30, output_bytes=24 * 1024 * 1024)
_LONGEST_SIDE = 4096
_MOST_MARKS = 1000
_AT_A_TIME = 2
_WAIT_S = 30.0
_free = threading.BoundedSemaphore(_AT_A_TIME)


class BusyError(Exception):
    """Other pages are being drawn, and have taken all of the time that a person waits."""


@dataclass(frozen=True)
class MarkedPage:
    """Width and height of a page in points, and the rectangles that cover a quotation; none where it was not found."""

    width: float
    height: float
    marks: list[Rectangle]


def draw_page(name: str, content: bytes, number: int) -> bytes:
    """Return page `number`, from 1, of a PDF, a scan or a photo as a picture (PNG).

    The process that reads the file returns pixels, and the picture is encoded from them in this one: whatever the file
    does, a browser gets a sound picture.

    Raises:
        UnreadableError: the file or the page is damaged or encrypted, exceeds a limit, or is not there.
        BusyError: try again later.
        MemoryError, OSError: this computer is short of something; try again later.
    """
    with _one_of_few():
        width, height, pixels = process.run(
            name, content, LIMITS, _pixels, {"call": "draw", "name": name, "number": number}
        )
        return _png(width, height, pixels)


def mark_page(name: str, content: bytes, number: int, quotation: str, before: str) -> MarkedPage:
    """Return the size of page `number` of a file, and where a quotation stands in its text after the text `before`.

    Raises:
        UnreadableError, BusyError, MemoryError, OSError: as `draw_page`.
    """
    page = {"call": "mark", "name": name, "number": number, "quotation": quotation, "before": before}
    with _one_of_few():
        return process.run(name, content, LIMITS, _marked, page)


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _free.acquire(timeout=_WAIT_S):
        raise BusyError
    try:
        yield
    finally:
        _free.release()


def _pixels(result: dict[str, Any]) -> tuple[int, int, bytes]:
    width, height = int(result["width"]), int(result["height"])
    pixels = base64.b64decode(result["pixels"], validate=True)
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE and len(pixels) == 3 * width * height):
        raise ValueError("the size does not fit the pixels")
    return width, height, pixels


def _marked(result: dict[str, Any]) -> MarkedPage:
    marks = [Rectangle(*(float(mark[side]) for side in ("left", "top", "right", "bottom"))) for mark in result["marks"]]
    width, height = float(result["width"]), float(result["height"])
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError("the page has no size")
    if not all(0 <= mark.left <= mark.right <= 1 and 0 <= mark.top <= mark.bottom <= 1 for mark in marks):
        raise ValueError("a mark lies outside of the page")
    return MarkedPage(width, height, marks[:_MOST_MARKS])


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """Return pixels (red, green, blue) as PNG (ISO/IEC 15948), each row as its difference to the one above."""
    rows = np.frombuffer(pixels, np.uint8).reshape(height, 3 * width)
    filtered = np.full((height, 1 + 3 * width), 2, np.uint8)
    filtered[:, 1:] = rows
    filtered[1:, 1:] -= rows[:-1]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(filtered.data, 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
