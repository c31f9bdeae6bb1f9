# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the parsing of files in their confined processes: text PDF, and many small files.

    PYTHONPATH=app .venv/bin/python -m tests.bench.parsing [--megabytes 20] [--files 2000] > parsing.json

Parses generated files with two threads, as the worker does, and prints one JSON object. With 20 MB it takes about 20 s
and 200 MiB of memory. `memory_mib` is the largest resident size of this process, and of any that it started.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
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
TARGETS = {"pdf, MB a minute": 50}
"""At least."""


def text_pdf(source: random.Random) -> bytes:
    """Return a PDF of dense pages of text, compressed as usual."""
    out = BytesIO()
    canvas = Canvas(out)
    for _ in range(PAGES):
        lines = canvas.beginText(50, 800)
        for _ in range(LINES):
            words = ("".join(source.choices("aeinorstlmdgh", k=source.randint(2, 10))) for _ in range(WORDS))
            lines.textLine(" ".join(words))
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def seconds(files: Sequence[tuple[str, bytes]]) -> float:
    """Return how long it takes to parse files."""
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as executor:
        list(executor.map(lambda file: process.parse(*file), files))
    return time.monotonic() - began


def measure(megabytes: float, files: int) -> dict[str, Any]:
    """Return rates and memory."""
    source = random.Random(1)
    content = text_pdf(source)
    count = max(THREADS, round(megabytes * 1e6 / len(content)))
    seconds([("a.pdf", content)] * THREADS)  # starts the programs
    of_pdf = seconds([("a.pdf", content)] * count)
    of_files = seconds([("a.txt", f"Note {number} of the household.".encode()) for number in range(files)])
    process.close_idle()
    return {
        "pdf": {
            "MB": round(count * len(content) / 1e6, 1),
            "pages": count * PAGES,
            "MB a minute": round(count * len(content) / 1e6 / of_pdf * 60, 1),
            "pages a second": round(count * PAGES / of_pdf, 1),
        },
        "small files": {"files": files, "a second": round(files / of_files, 1)},
        "memory_mib": {
            "parent": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "largest process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        },
    }


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.parsing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=20, help="of text PDF")
    parser.add_argument("--files", type=int, default=2000, help="small text files")
    arguments = parser.parse_args()
    result = measure(arguments.megabytes, arguments.files)
    load = [round(value, 1) for value in os.getloadavg()]
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
    print(json.dumps({"targets": TARGETS, "machine": machine, **result}, indent=1))


if __name__ == "__main__":
    main()
