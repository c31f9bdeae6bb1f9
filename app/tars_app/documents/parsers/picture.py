# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans and photos: their pages, which have to be recognised, and the date of the camera."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from io import BytesIO
from typing import cast

import pi_heif
from PIL import Image

from tars_app.documents.parsers.model import Parsed, UnreadableError

MOST_PAGES = 2000
MOST_PIXELS = 80_000_000
MOST_JPEG_PIXELS = 500_000_000
"""Of a JPEG, which is read at a fraction of its size."""
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "HEIF")
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d)")
_ORIENTATION, _TAKEN, _CHANGED, _DETAILS = 0x0112, 0x9003, 0x0132, 0x8769  # tags of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.init()
Image.MAX_IMAGE_PIXELS = None  # the limits are those above
pi_heif.register_heif_opener(thumbnails=False)


def parse(content: bytes) -> Parsed:
    """Return the pages of a scan or photo, whose text is then recognised.

    Raises:
        UnreadableError: it is not a picture, damaged, or too large.
    """
    with _opened(content) as image:
        _check_size(image)
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        taken = _date(image)
    notes = [f"Only the first {MOST_PAGES} of {pages} pages were read."] if pages > MOST_PAGES else []
    scanned = [*range(1, min(pages, MOST_PAGES) + 1)]
    return Parsed([], taken, "photo metadata" if taken else "", notes, scanned, pages)


def render(content: bytes, number: int, most_pixels: int, most_enlarged: float) -> Image.Image:
    """Return a page, from 1, upright, and at most this large; a small one is enlarged up to this number of times.

    Raises:
        UnreadableError: as `parse`.
    """
    with _opened(content) as image:
        image.seek(number - 1)
        _check_size(image)
        scale = min(math.sqrt(most_pixels / (image.width * image.height)), most_enlarged)
        sides = image.width * scale, image.height * scale
        image.draft("RGB", (math.ceil(sides[0]), math.ceil(sides[1])))
        image.load()  # which turns a TIFF or HEIC already
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
        scale = math.sqrt(sides[0] * sides[1] / (image.width * image.height))
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        page = _on_white(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        return page if turn is None else page.transpose(turn)


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=_FORMATS) as image:
                yield image
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise errors of many kinds
        raise UnreadableError("The picture is damaged or cut off: open it, and save it again.") from error


def _check_size(image: Image.Image) -> None:
    most = MOST_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MOST_PIXELS
    if image.width * image.height > most:
        raise UnreadableError(
            f"The picture has {image.width:,} x {image.height:,} pixels; more than {most // 1_000_000} million are "
            "not read. Save it in a lower resolution."
        )


def _on_white(image: Image.Image) -> Image.Image:
    """Return a picture in colours without transparency."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(layer, mask=layer.getchannel("A"))
        return page
    return _converted(image)


def _converted(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):  # Pillow would cut the values off at 255
        low, high = cast(tuple[float, float], image.getextrema())
        scale = 255 / (high - low) if high > low else 1.0
        image = image.convert("F").point(lambda value: value * scale - low * scale).convert("L")
    return image.convert("RGB")


def _date(image: Image.Image) -> str | None:
    """Return the day on which a photo was taken, else that of its last change."""
    data = image.getexif()
    for value in (data.get_ifd(_DETAILS).get(_TAKEN), data.get(_CHANGED)):
        match = _DATE.match(value) if isinstance(value, str) else None
        if match:
            with suppress(ValueError):  # as of a camera whose clock was never set
                return date(*map(int, match.groups())).isoformat()
    return None
