# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise the scanned pages of documents, one after the other and behind all other work, and answer from them.

What a file gives without its scanned pages is answered from meanwhile. Each page is recorded when it is recognised, so
that a worker that stops loses one page at most.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from tars_app.adapters.postgres import RECOGNITION_LOCK, try_lock
from tars_app.dependencies import Dependencies
from tars_app.documents import index, scans
from tars_app.documents.dates import claimed_date
from tars_app.documents.index import MAX_ATTEMPTS
from tars_app.documents.ingest import Reader, follow, missing_vectors
from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import Section, UnreadableError
from tars_app.documents.parsers.registry import has_pages
from tars_app.documents.passages import place_passages
from tars_app.documents.scans import Scan
from tars_app.kit.errors import UnavailableError, summarize

log = logging.getLogger(__name__)

IDLE_S = 2.0
"""Time between two searches for a page to recognise."""


class Recognition:
    """Recognises pages, in a thread of its own.

    `read` returns the content of a version, from its share or a snapshot.
    """

    def __init__(self, dependencies: Dependencies, read: Reader) -> None:
        self._dependencies = dependencies
        self._read = read
        self._content: tuple[object, bytes] | None = None
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Recognise what waits until `stop` is set."""
        self._stop = stop
        while not stop.is_set():
            if not self.recognize_next():
                self._content = None
                stop.wait(IDLE_S)

    def recognize_next(self) -> bool:
        """Recognise one page, or store a version whose pages are all recognised; return whether there was one.

        Another worker may be doing so: pages are recognised one at a time. Raises nothing.
        """
        try:
            with try_lock(self._dependencies.pool, RECOGNITION_LOCK) as held:
                return held and self._step()
        except UnavailableError as error:
            log.warning("Pages are recognised later", extra={"fields": {"reason": str(error)}})
        except Exception:  # a fault of one scan, which is put off: others go on
            if not self._stop.is_set():  # then the connections to the database are closed
                log.exception("Recognising pages failed")
        return False

    def _step(self) -> bool:
        pool = self._dependencies.pool
        scans.drop_lost(pool)
        scan = scans.next_scan(pool)
        if scan is None:
            return False
        try:
            if scan.remaining:
                self._recognize(scan)
            else:
                self._store(scan)
        except Exception:
            scans.postpone(pool, scan.task.version_id, counts=False)
            raise
        return True

    def _recognize(self, scan: Scan) -> None:
        """Recognise the next page of a version, and record it."""
        pool, task, page = self._dependencies.pool, scan.task, scan.remaining[0]
        fields = {"version": task.version_id, "path": task.path, "page": page}
        started = time.monotonic()
        try:
            content = self._content_of(scan)
            if content is None:
                index.observe_again(pool, task.document_id)
                scans.postpone(pool, task.version_id, counts=False)
                return
            result = process.recognize(task.path, content, page)
        except UnreadableError as error:
            log.warning("A page is not readable", extra={"fields": {**fields, "reason": str(error)}})
            scans.note_page(pool, task.version_id, page, str(error))
        except (MemoryError, OSError) as error:
            log.warning("A page is recognised later", extra={"fields": {**fields, "reason": summarize(error)}})
            if scan.page_attempts + 1 < MAX_ATTEMPTS:
                scans.postpone(pool, task.version_id, counts=True)
            else:
                scans.note_page(pool, task.version_id, page, f"It failed {MAX_ATTEMPTS} times: {summarize(error)}.")
        else:
            log.info("Recognised", extra={"fields": {**fields, "seconds": round(time.monotonic() - started, 3)}})
            scans.note_page(pool, task.version_id, page, result)

    def _content_of(self, scan: Scan) -> bytes | None:
        """Return the content of a version, which is kept while its pages follow one another."""
        if self._content is None or self._content[0] != scan.task.version_id:
            self._content = None
            content = self._read(self._dependencies, scan.task)
            self._content = None if content is None else (scan.task.version_id, content)
        return self._content and self._content[1]

    def _places_of(self, scan: Scan) -> dict[int, Section] | None:
        """Return the places of pages of attachments by their numbers; None where the file is another one."""
        if has_pages(scan.task.path):
            return {}
        content = self._content_of(scan)
        if content is None:
            return None
        return {place.number: place for place in process.parse(scan.task.path, content).places}

    def _store(self, scan: Scan) -> None:
        """Store the text of a version whose pages are all recognised, and answer from it."""
        pool, settings, task = self._dependencies.pool, self._dependencies.settings, scan.task
        started = time.monotonic()
        places = self._places_of(scan)
        if places is None:
            index.observe_again(pool, task.document_id)
            scans.postpone(pool, task.version_id, counts=False)
            return
        passages, outcome = scans.read_outcome(pool, scan, places)
        notes = scans.final_notes(scan.parsed, outcome, places)
        if not passages and not outcome.sections:
            reason = "; ".join(dict.fromkeys(outcome.failed.values())) or "No text was recognised on its pages."
            index.fail(pool, task.version_id, reason)
            scans.drop_lost(pool)
            index.note_done(pool, task.version_id)
            return
        passages += place_passages(outcome.sections, settings.chunk_words, settings.chunk_characters)
        vectors, unembedded = missing_vectors(self._dependencies, passages)
        note = " ".join([*notes, *scan.parsed.notes, *([unembedded] if unembedded else [])]) or None
        if scan.is_answered:
            stored = index.complete(pool, task, passages, vectors, settings, note)
        else:
            claimed = claimed_date(task.path, replace(scan.parsed, sections=outcome.sections), task.seen_from)
            stored = index.swap(pool, task, passages, vectors, settings, time.monotonic() - started, note, claimed)
        if stored:
            log.info("Indexed", extra={"fields": {"version": task.version_id, "passages": len(passages)}})
            index.note_done(pool, task.version_id)
            follow(self._dependencies)
