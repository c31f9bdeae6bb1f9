# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the recognition of scanned pages: wrong characters, pages a minute, memory, and what it costs text documents.

    PYTHONPATH=app .venv/bin/python -m tests.eval.recognition [--pages 24] [--text-files 400] > recognition.json

Recognises generated letters in German and English, clean, rotated by 2 degrees, noisy, and both, in three fonts, one
after the other as the worker does, and parses text files with and without that beside it. Prints one JSON object. With
24 pages it takes about 3 minutes on two cores. `memory_mib` is the largest resident size of any process it started.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from typing import Any

from PIL import Image
from tests.letters import LETTERS, error_rate, noisy, page, rotated, written

from tars_app.documents.parsers import process

TARGETS = {"pages a minute": 14, "wrong characters, clean": 0.01, "wrong characters, noisy": 0.04, "slower": 0.10}
"""The first at least, the others at most."""
FONTS = ("DejaVuSans", "DejaVuSerif", "STIXGeneral")
REPEATED = 3
"""How often the letter stands on a page: some 21 lines."""
TEXT_THREADS = 2
KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "clean": lambda image: image,
    "rotated": lambda image: rotated(image, 2),
    "noisy": noisy,
    "noisy and rotated": lambda image: noisy(rotated(image, -2)),
}


def pages() -> Iterator[tuple[str, str, bytes]]:
    """Yield pages: their kind, the printed text, and the picture."""
    for font, kind, language in product(FONTS, KINDS, LETTERS):
        text = "\n".join([LETTERS[language]] * REPEATED)
        yield f"{kind}, {language}", text, written(KINDS[kind](page(text, font)))


def recognize(number: int) -> dict[str, Any]:
    """Return the rates of wrong characters and the speed, over so many pages."""
    wrong: dict[str, list[float]] = defaultdict(list)
    selected = list(islice(pages(), number))
    process.recognize("a.png", selected[0][2], 1)  # starts the program
    began = time.monotonic()
    for kind, text, content in selected:
        wrong[kind].append(error_rate(text, process.recognize("a.png", content, 1).text))
    took = time.monotonic() - began
    return {
        "pages": len(selected),
        "pages a minute": round(60 * len(selected) / took, 1),
        "wrong characters": {kind: round(statistics.mean(rates), 5) for kind, rates in sorted(wrong.items())},
        "worst page": round(max(max(rates) for rates in wrong.values()), 5),
    }


def text_seconds(files: int) -> float:
    """Return how long it takes to parse text files, as the worker does."""
    content = ("\n".join(LETTERS.values()) * 40).encode()
    began = time.monotonic()
    with ThreadPoolExecutor(TEXT_THREADS) as executor:
        list(executor.map(lambda _: process.parse("a.txt", content), range(files)))
    return time.monotonic() - began


def beside(files: int, repeats: int = 5) -> dict[str, Any]:
    """Return how much longer text files take while pages are recognised: medians of several measurements in turn."""
    content = next(pages())[2]
    alone, together = [], []
    text_seconds(files)  # starts the programs
    for _ in range(repeats):
        alone.append(text_seconds(files))
        stop = threading.Event()
        recognition = threading.Thread(target=_recognize_until, args=(stop, content))
        recognition.start()
        together.append(text_seconds(files))
        stop.set()
        recognition.join()
    slower = statistics.median(together) / statistics.median(alone) - 1
    return {
        "text files": files,
        "alone, s": round(statistics.median(alone), 3),
        "beside recognition, s": round(statistics.median(together), 3),
        "slower": round(slower, 3),
    }


def _recognize_until(stop: threading.Event, content: bytes) -> None:
    while not stop.is_set():
        process.recognize("a.png", content, 1)


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.eval.recognition", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--pages", type=int, default=24, help="at most 24")
    parser.add_argument("--text-files", type=int, default=400)
    arguments = parser.parse_args()
    result = {**recognize(arguments.pages), "beside": beside(arguments.text_files)}
    process.close_idle()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    load = [round(value, 1) for value in os.getloadavg()]
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
    print(json.dumps({"targets": TARGETS, "machine": machine, **result, "memory_mib": memory}, indent=1))


if __name__ == "__main__":
    main()
