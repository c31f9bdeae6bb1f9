# SPDX-License-Identifier: GPL-3.0-or-later
"""How long scans of a share take, and for how long they keep other work from being done.

Documents are put on record at once, and more files are added later. Measured are the second scan, in which nothing has
changed; a scan that finds and reads the new files, with the longest pause between two moments at which documents are
put into the queue; and the requests of the page's list.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tars_app.adapters.mounts import ShareListing, list_share
from tars_app.adapters.postgres import Pool, make_pool, migrate
from tars_app.documents.reconcile import queue_waiting, reconcile
from tars_app.library import service
from tars_app.library.repository import Selection
from tars_app.maintenance import FILL_INTERVAL_S
from tars_app.settings import Settings

FILES_PER_FOLDER = 100
OLD_S = 1_700_000_000
SHARE = "LLM_docs"


def write(share: Path, name: str, count: int, suffix: str) -> None:
    """Write small files with different contents, 100 in a folder."""
    for number in range(count):
        folder = share / name / str(number // FILES_PER_FOLDER)
        if number % FILES_PER_FOLDER == 0:
            folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{number}{suffix}"
        file.write_text(f"{name} {number}")
        os.utime(file, (OLD_S, OLD_S))


def timed(action: Callable[[], Any]) -> float:
    """Return the seconds that an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def record(pool: Pool, listing: ShareListing) -> None:
    """Put documents on record as if they had been read."""
    files = listing.files
    sizes, times = ([getattr(file, name) for file in files.values()] for name in ("size", "mtime_ns"))
    with pool.connection() as connection:
        connection.execute(
            f"""INSERT INTO documents (source, path, size, mtime_ns)
               SELECT '{SHARE}', path, size, mtime_ns
               FROM unnest(%s::text[], %s::bigint[], %s::numeric[]) AS new (path, size, mtime_ns)""",  # noqa: S608  a constant
            (list(files), sizes, times),
        )
        connection.execute("INSERT INTO document_paths SELECT id, now(), path FROM documents")
        connection.execute(
            """INSERT INTO versions (document_id, sha256, size, modified, state, seen_from)
               SELECT id, md5(path), size, '2023-11-14', 'indexed', now() FROM documents"""
        )
        connection.execute("ANALYZE")


class Pauses:
    """Fills the queue as the worker does, and notes the longest time in which it could not."""

    def __init__(self, fill: Callable[[], None]) -> None:
        self._fill = fill
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self._last = self._next = time.monotonic()
        self.longest = 0.0

    def __call__(self) -> None:
        """Note the pause since the last call, and fill the queue if it is due."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self._last)
        if now >= self._next:
            self._fill()
            self._next = time.monotonic() + FILL_INTERVAL_S
        self._last = now


def measure(settings: Settings, folder: Path, files: int, ignored: int, new: int) -> dict[str, Any]:
    """Return what was measured of the share in the folder of documents of `settings`.

    `folder` is where its files are written: the same folder, or the one that a NAS exports.
    """
    write(folder, "documents", files, ".txt")
    write(folder, "films", ignored, ".mkv")
    share = settings.documents[0] / SHARE
    migrate(settings)
    with make_pool(settings) as pool:
        pauses = Pauses(lambda: queue_waiting(pool, lambda _: None, lambda _: None))
        unfinished: dict[str, Any] = {}

        def scan() -> None:
            while not reconcile(pool, settings, pauses, unfinished):
                pass

        record(pool, list_share(share, settings.require_mount))
        first = timed(scan)
        listing = timed(lambda: list_share(share, settings.require_mount))
        second = timed(scan)
        write(folder, "new", new, ".txt")
        pauses.reset()
        with_new = timed(scan)
        pause = pauses.longest
        requests = {
            "overview": lambda: service.overview(pool, Selection()),
            "a folder": lambda: service.overview(pool, Selection(f"{SHARE}/documents/1")),
            "first page of files": lambda: service.files(pool, Selection(), 100, 0),
            "files with a text": lambda: service.files(pool, Selection(text="77"), 100, 0),
            "one file": lambda: service.find(pool, f"{SHARE}/documents/1/177.txt"),
        }
        return {
            "files": files,
            "ignored files": ignored,
            "new files": new,
            "first scan of documents on record, s": round(first, 1),
            "listing alone, s": round(listing, 2),
            "second scan, s": round(second, 2),
            "second scan by listing": round(second / listing, 2),
            "scan with new files, s": round(with_new, 1),
            "longest pause, s": round(pause, 2),
            "requests, s": {name: round(timed(action), 2) for name, action in requests.items()},
        }
