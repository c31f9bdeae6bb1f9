# SPDX-License-Identifier: GPL-3.0-or-later
"""PDF files for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

Drawing = Callable[[Canvas], None]


def draw(*pages: Drawing, encrypt: StandardEncryption | str | None = None) -> bytes:
    """Return a PDF with one page for each function."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, encrypt=encrypt, invariant=1)
    for page in pages:
        page(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def lines(*texts: str) -> Drawing:
    """Draw lines of text."""

    def on(canvas: Canvas) -> None:
        for number, text in enumerate(texts):
            canvas.drawString(72, 740 - 14 * number, text)

    return on


def scan(stamp: str = "") -> Drawing:
    """Draw a picture on the whole page, as a scanner does, and a stamp."""

    def on(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(Image.new("L", (40, 56), 200)), 0, 0, *A4)
        canvas.drawString(30, 20, stamp)

    return on


def columns(*texts: Sequence[str], title: str = "", left: float = 60, apart: float = 250) -> Drawing:
    """Draw columns, as some programs do: line by line across all of them."""

    def on(canvas: Canvas) -> None:
        if title:
            canvas.drawString(left, 780, title)
        for number in range(max(map(len, texts))):
            for place, column in enumerate(texts):
                if number < len(column):
                    canvas.drawString(left + place * apart, 740 - 14 * number, column[number])

    return on


def assemble(*objects: bytes) -> bytes:
    """Return a PDF of these objects, of which the first is the catalogue."""
    content, places = b"%PDF-1.7\n", []
    for number, value in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(content))
    return content + head + table + end


def stream(content: bytes) -> bytes:
    """Return a stream object."""
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


def read_with_poppler(content: bytes, folder: Path, page: int = 1) -> str:
    """Return the text of a page as pdftotext reads it, with single spaces, and hyphens at line ends (-layout)."""
    path = folder / "independent.pdf"
    path.write_bytes(content)
    command = ["pdftotext", "-layout", "-f", str(page), "-l", str(page), str(path), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(text.split())
