# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsing of files in their confined processes: text PDF, and many small files."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from tars_app.documents.parsers import process

THREADS = 2
PAGES, LINES, WORDS = 60, 50, 13


def text_pdf(source: random.Random, pages: int = PAGES) -> bytes:
    """Return a PDF of dense pages of text, compressed as usual."""
    out = BytesIO()
    canvas = Canvas(out)
    for _ in range(pages):
        lines = canvas.beginText(50, 800)
        for _ in range(LINES):
            lines.textLine(line(source))
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def line(source: random.Random) -> str:
    """Return words of chance letters."""
    return " ".join("".join(source.choices("aeinorstlmdgh", k=source.randint(2, 10))) for _ in range(WORDS))


def seconds(files: Sequence[tuple[str, bytes]]) -> float:
    """Return how long it takes to parse files, with as many threads as the worker has."""
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as executor:
        list(executor.map(lambda file: process.parse(*file), files))
    return time.monotonic() - began


def measure(megabytes: float, files: int) -> dict[str, Any]:
    """Return rates and memory, which is the largest resident size of this process, and of any that it started."""
    source = random.Random(1)
    content = text_pdf(source)
    count = max(THREADS, round(megabytes * 1e6 / len(content)))
    seconds([("a.pdf", content)] * THREADS)  # starts the programs
    of_pdf = seconds([("a.pdf", content)] * count)
    of_files = seconds([("a.txt", f"Note {number} of the household.".encode()) for number in range(files)])
    process.close_idle()
    return {
        "PDF, MB": round(count * len(content) / 1e6, 1),
        "PDF, pages": count * PAGES,
        "PDF, MB a minute": round(count * len(content) / 1e6 / of_pdf * 60, 1),
        "PDF, pages a second": round(count * PAGES / of_pdf, 1),
        "small files": files,
        "small files a second": round(files / of_files, 1),
        "memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "memory of the largest process, MiB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
