# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures: their formats, pages, orientation and date, and those that are refused."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from PIL import Image

from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.parsers.picture import parse, render

from ....letters import written

# A white picture of 64 x 48 points with a black square of 16 x 16 at its top left, of 4 May 2023; by pillow-heif 1.4.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAb5tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAA"
    "AERAAAIAAQAAAAAB4gABAAAAAAAAABwAAgAAAAAB/gABAAAAAAAAADgAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZl"
    "AgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH/"
    "/wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29s"
    "cm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAA"
    "AwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAAXG1kYXQAAAAYKAGvBBj8Hemv/6rVR97L1qt8"
    "IwhMXoOAAAAABkV4aWYAAE1NACoAAAAIAAEBMgACAAAAFAAAABoAAAAAMjAyMzowNTowNCAxMDowMDowMAA="
)


def picture(mode: str = "RGB") -> Image.Image:
    """Return a white picture with a black square at its top left."""
    image = Image.new("RGB", (64, 48), "white")
    image.paste((0, 0, 0), (0, 0, 16, 16))
    return image.convert(mode)


def black_corner(page: Image.Image) -> str:
    width, height = page.size
    corners = {"top left": (4, 4), "top right": (width - 5, 4), "bottom left": (4, height - 5)}
    corners["bottom right"] = (width - 5, height - 5)
    # The type of a pixel depends on the mode; these pages have three colours.
    [name] = [name for name, place in corners.items() if sum(page.getpixel(place)) < 200]  # type: ignore[arg-type]
    return name


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "HEIC"])
def test_a_picture_is_one_page(form: str) -> None:
    content = HEIC if form == "HEIC" else written(picture(), form)
    assert process.parse(f"a.{form}", content).scanned == [1]
    page = render(content, 1, 10_000, 2.0)
    assert page.mode == "RGB" and black_corner(page) == "top left"


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_pictures_of_all_colours(mode: str) -> None:
    image = (
        picture("L").convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else picture(mode)
    )
    assert black_corner(render(written(image), 1, 10_000, 1.0)) == "top left"


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 16, 16))
    assert black_corner(render(written(image), 1, 10_000, 1.0)) == "top left"


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, "top left"), (3, "bottom right"), (6, "top right"), (8, "bottom left")]
)
def test_a_photo_is_turned_as_its_camera_was_held(form: str, orientation: int, corner: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = render(written(picture(), form, exif=exif), 1, 64 * 48, 1.0)
    assert black_corner(page) == corner
    assert page.size == ((48, 64) if orientation in (6, 8) else (64, 48))


def test_a_photo_has_the_date_on_which_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2024:01:01 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2023:05:04 10:11:12"
    parsed = process.parse("a.jpg", written(picture(), "JPEG", exif=exif))
    assert (parsed.date, parsed.dated_by) == ("2023-05-04", "photo metadata")
    assert process.parse("a.heic", HEIC).date == "2023-05-04"
    for unset in ("0000:00:00 00:00:00", "    :  :     :  :  ", "2023:13:04 10:11:12"):
        exif.get_ifd(0x8769)[0x9003] = exif[0x0132] = unset
        assert process.parse("a.jpg", written(picture(), "JPEG", exif=exif)).date is None


def test_a_tiff_has_many_pages_and_an_animation_one() -> None:
    images = [Image.new("L", (20 + number, 20), 255) for number in range(5)]
    several = written(images[0], "TIFF", save_all=True, append_images=images[1:])
    assert (parse(several).scanned, parse(several).pages) == ([1, 2, 3, 4, 5], 5)
    assert render(several, 3, 22 * 20, 1.0).size == (22, 20)
    frames = [Image.new("L", (20, 20), number) for number in range(5)]
    assert parse(written(frames[0], "WEBP", save_all=True, append_images=frames[1:])).scanned == [1]


def test_a_large_photo_is_made_smaller_and_a_small_one_larger() -> None:
    assert render(written(Image.new("L", (4000, 3000), 255), "JPEG"), 1, 1_200_000, 2.0).size == (1265, 949)
    assert render(written(picture()), 1, 1_200_000, 2.0).size == (128, 96)


def png_of(width: int, height: int) -> bytes:
    """Return the begin of a picture of this size: a bit for each point, all of them equal."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(100_000))) + part(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", png_of(60_000, 60_000), "60,000 x 60,000 pixels; more than 80 million"),
        ("a.png", b"no picture", "damaged or cut off"),
        ("a.jpg", b"", "damaged or cut off"),
        ("a.png", b"GIF89a" + bytes(50), "damaged or cut off"),
        ("a.tif", b"II*\x00" + b"\xff" * 40, "damaged or cut off"),
    ],
)
def test_what_is_refused_has_a_reason(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        process.parse(name, content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_picture_that_is_cut_off_has_a_reason(form: str) -> None:
    whole = written(Image.effect_noise((300, 200), 80), form)
    with pytest.raises(UnreadableError, match="damaged or cut off"):
        render(whole[: len(whole) // 2], 1, 10_000, 1.0)
