# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one version of a document: extract its text, compute the vectors that are missing, and store both.

Scanned pages are left to documents.recognition.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from tars_app.adapters.chroma import RequestRefusedError
from tars_app.adapters.mounts import ShareUnavailableError, read_file, require_answer
from tars_app.adapters.ollama import embed_passages
from tars_app.dependencies import Dependencies
from tars_app.documents import index, scans
from tars_app.documents.dates import claimed_date
from tars_app.documents.follow import EMBED_BATCH, follow_changes
from tars_app.documents.index import MAX_ATTEMPTS
from tars_app.documents.model import Task
from tars_app.documents.parsers import process
from tars_app.documents.parsers.model import UnreadableError
from tars_app.documents.passages import PlacedPassage, place_passages
from tars_app.documents.vectors import pack, without_vector
from tars_app.kit.errors import UnavailableError, summarize

log = logging.getLogger(__name__)


Reader = Callable[[Dependencies, Task], bytes | None]
"""Returns the content of a task's version, None where the file is not what its record states."""


def ingest(dependencies: Dependencies, version_id: UUID) -> None:
    """Read a version from its share, unless a newer one replaced it. Raises as `read_version`."""
    task = index.start_task(dependencies.pool, version_id)
    if task is not None:
        read_version(dependencies, task, read_content)


def read_version(dependencies: Dependencies, task: Task, read: Reader) -> None:
    """Read a version, and store it.

    A file that cannot be read is recorded as failed; so is one whose reading failed for an unknown reason, or ended the
    worker, `MAX_ATTEMPTS` times.

    Raises:
        UnavailableError: a dependency cannot be used; try again later. Nothing has changed.
        Exception: any other failure, recorded and logged with the path; try again later.
    """
    pool, version_id = dependencies.pool, task.version_id
    fields = {"version": version_id, "path": task.path}
    try:
        if task.attempts > MAX_ATTEMPTS:
            last = task.error or "The worker ended while it read the file."
            raise UnreadableError(f"Reading the file failed {MAX_ATTEMPTS} times. {last}")
        _ingest(dependencies, task, read)
    except UnreadableError as error:
        log.warning("Not readable", extra={"fields": {**fields, "reason": str(error)}})
        index.fail(pool, version_id, str(error))
    except UnavailableError as error:
        details = {"reason": str(error), "next_step": error.next_step}
        log.warning("A document is read later", extra={"fields": {**fields, **details}})
        index.note_waiting(pool, version_id, f"Waiting: {error}")
        raise
    except Exception as error:
        log.exception("Reading a document failed", extra={"fields": fields})
        index.note_error(pool, version_id, f"The last attempt failed with {summarize(error)}.")
        raise
    index.note_done(pool, version_id)


def _ingest(dependencies: Dependencies, task: Task, read: Reader) -> None:
    started = time.monotonic()
    settings = dependencies.settings
    content = read(dependencies, task)
    if content is None:
        index.observe_again(dependencies.pool, task.document_id)
        return
    parsed = process.parse(task.path, content)
    del content
    if parsed.scanned and not parsed.sections:
        scans.add(dependencies.pool, task, parsed)
        return
    claimed = claimed_date(task.path, parsed, task.seen_from)
    passages = place_passages(parsed.sections, settings.chunk_words, settings.chunk_characters)
    parsed.sections.clear()  # of a large file, computing the vectors takes long, and the text is in the passages now
    vectors, unembedded = missing_vectors(dependencies, passages)
    if unembedded:
        fields = {"version": task.version_id, "path": task.path, "reason": unembedded}
        log.warning("Passages have no vector", extra={"fields": fields})
    scanned = [scans.waiting_note(parsed)] if parsed.scanned else []
    note = " ".join([*scanned, *parsed.notes, *([unembedded] if unembedded else [])]) or None
    took_s = time.monotonic() - started
    if index.swap(dependencies.pool, task, passages, vectors, settings, took_s, note, claimed, parsed):
        fields = {"version": task.version_id, "passages": len(passages), "embedded": len(vectors)}
        log.info("Indexed", extra={"fields": {**fields, "seconds": round(took_s, 3)}})
        follow(dependencies)


def follow(dependencies: Dependencies) -> None:
    """Write the changes to Chroma now. If this fails, the next pass of the worker does it."""
    try:
        follow_changes(dependencies)
    except (UnavailableError, RequestRefusedError) as error:
        log.warning("Chroma follows later", extra={"fields": {"reason": str(error)}})


def read_content(dependencies: Dependencies, task: Task) -> bytes | None:
    """Return the content of the task's file, None where it is not what its record states."""
    try:
        content = read_file(task.root, task.path, dependencies.settings.max_file_bytes)
    except OSError as error:
        try:
            require_answer(task.root, error)
        except ShareUnavailableError as failure:
            raise UnavailableError(str(failure), "Check that the NAS is on and its share is mounted.") from error
        return None
    return content if hashlib.sha256(content).hexdigest() == task.sha256 else None


def missing_vectors(
    dependencies: Dependencies, passages: Sequence[PlacedPassage]
) -> tuple[dict[bytes, bytes], str | None]:
    """Return the packed vectors of those passages that have none yet, and a note where the model fails on some."""
    model = dependencies.settings.embedding_model
    by_hash = {passage.hash: passage for passage in passages}
    hashes = sorted(without_vector(dependencies.pool, model, by_hash))
    vectors: dict[bytes, bytes] = {}
    for start in range(0, len(hashes), EMBED_BATCH):
        batch = hashes[start : start + EMBED_BATCH]
        embedded = embed_passages(dependencies.embedder, model, [by_hash[value].embedded_text for value in batch])
        # A list of numbers takes 16 times the memory, and a large file has a hundred thousand vectors.
        vectors |= {value: pack(vector) for value, vector in zip(batch, embedded, strict=True) if vector is not None}
    failed = set(hashes) - set(vectors)
    unembedded = [passage for passage in passages if passage.hash in failed]
    return vectors, _unembedded_note(unembedded, len(passages))


def _unembedded_note(unembedded: Sequence[PlacedPassage], total: int) -> str | None:
    if not unembedded:
        return None
    label = unembedded[0].label
    place = f", the first on {label}" if label else ""
    return f"The embedding model fails on {len(unembedded)} of {total} passages{place}; these are found by words only."
