# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of the time that reading documents takes is the embedding model's own.

The worker reads text files of different lengths, and then many small ones. After each, the same passages are sent to
the model alone, in the same batches from the same number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ollama

from .scanning import timed
from .stack import BATCH, MODEL, THREADS, Stack, stack

PASSAGES_OF_A_FILE = (1, 3, 10, 40)


def files_of(passages: Sequence[str]) -> Iterator[str]:
    """Yield the texts of files of different lengths."""
    number = start = 0
    while start < len(passages):
        size = PASSAGES_OF_A_FILE[number % len(PASSAGES_OF_A_FILE)]
        yield "\n\n".join(passages[start : start + size])
        number, start = number + 1, start + size


def notes(count: int) -> Iterator[str]:
    """Yield the texts of small files."""
    return (f"Note {number} of the household: the key of the cellar hangs on hook {number}." for number in range(count))


def batches_on_record(around: Stack) -> list[list[str]]:
    """Return the passages of each file in the batches in which the worker sent them."""
    with around.connect() as connection:
        rows = connection.execute(
            """SELECT array_agg(p.text ORDER BY u.ordinal) FROM version_texts t
               CROSS JOIN LATERAL unnest(t.hashes) WITH ORDINALITY AS u (hash, ordinal)
               JOIN passages p ON p.hash = u.hash GROUP BY t.version_id"""
        ).fetchall()
    return [row[0][start : start + BATCH] for row in rows for start in range(0, len(row[0]), BATCH)]


def embed_all(url: str, batches: Sequence[Sequence[str]]) -> None:
    """Send all batches to the model."""
    client = ollama.Client(url, trust_env=False)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda batch: client.embed(model=MODEL, input=list(batch)), batches))


def measure(texts: Sequence[str]) -> dict[str, Any]:
    """Return how long the worker takes for files with these texts, and the model alone for their passages."""
    with stack() as around:
        url = around.settings["TARS_OLLAMA_URL"]
        embed_all(url, [[text[:1000] for text in texts[:BATCH]]])  # it is loaded
        for number, text in enumerate(texts):
            around.write(f"{number}.txt", text.encode())
        with around.worker():
            found_s, took_s, pause_s = around.wait_until_read(len(texts))
        batches = batches_on_record(around)
        bare = timed(lambda: embed_all(url, batches))
    return {
        "files": len(texts),
        "passages": sum(map(len, batches)),
        "all found, s": round(found_s, 1),
        "longest pause of the scan, s": round(pause_s, 2),
        "all read, s": round(took_s, 1),
        "embedding model alone, s": round(bare, 1),
        "share of the embedding model": round(bare / took_s, 3),
    }
