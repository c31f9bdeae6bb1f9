# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one version of a document into both stores."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from tars_app.adapters.mounts import ShareUnavailableError, read_file, require_answer
from tars_app.adapters.ollama import embed_passages
from tars_app.dependencies import Dependencies
from tars_app.documents import index
from tars_app.documents.chunks import Chunk, chunk_page
from tars_app.documents.extract import extract
from tars_app.documents.index import MAX_ATTEMPTS, Task
from tars_app.documents.model import NO_PAGE, UnreadableError
from tars_app.kit.errors import UnavailableError, summarize

log = logging.getLogger(__name__)

BATCH = 32
"""Texts per call of the embedding model."""


def ingest(dependencies: Dependencies, version_id: UUID) -> None:
    """Read a version, unless a newer one replaced it.

    A file that cannot be read is recorded as failed; so is one whose reading failed for an unknown reason, or ended the
    worker, `MAX_ATTEMPTS` times.

    Raises:
        UnavailableError: a dependency cannot be used; try again later. Nothing has changed.
        Exception: any other failure, recorded and logged with the path; try again later.
    """
    pool = dependencies.pool
    task = index.start_task(pool, version_id)
    if task is None:
        return
    fields = {"version": version_id, "path": task.path}
    try:
        if task.attempts > MAX_ATTEMPTS:
            last = task.error or "The worker ended while it read the file."
            raise UnreadableError(f"Reading the file failed {MAX_ATTEMPTS} times. {last}")
        _ingest(dependencies, task)
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


def _ingest(dependencies: Dependencies, task: Task) -> None:
    started = time.monotonic()
    settings = dependencies.settings
    content = _read(dependencies, task)
    if content is None:
        index.observe_again(dependencies.pool, task.document_id)
        return
    pages = extract(task.path, content)
    del content
    chunks = [c for page in pages for c in chunk_page(page, settings.chunk_words, settings.chunk_characters)]
    ids = index.announce(dependencies.pool, len(chunks))
    visible = False
    try:
        unembedded = _write_vectors(dependencies, task, chunks, ids)
        note = _unembedded_note(unembedded, len(chunks))
        if note:
            fields = {"version": task.version_id, "path": task.path, "reason": note}
            log.warning("Passages have no vector", extra={"fields": fields})
        took_s = time.monotonic() - started
        visible = index.swap(dependencies.pool, task, pages, chunks, ids, settings.text_search, took_s, note)
    finally:
        if not visible:
            index.abandon(dependencies.pool, ids)
    if visible:
        fields = {"version": task.version_id, "pages": len(pages), "chunks": len(chunks), "seconds": round(took_s, 3)}
        log.info("Indexed", extra={"fields": fields})


def _read(dependencies: Dependencies, task: Task) -> bytes | None:
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


def _write_vectors(dependencies: Dependencies, task: Task, chunks: Sequence[Chunk], ids: Sequence[UUID]) -> list[Chunk]:
    """Write the vectors of chunks; return the chunks on which the embedding model fails."""
    unembedded: list[Chunk] = []
    for start in range(0, len(chunks), BATCH):
        batch = list(zip(ids[start : start + BATCH], chunks[start : start + BATCH], strict=True))
        texts = [chunk.text for _, chunk in batch]
        vectors = embed_passages(dependencies.embedder, dependencies.settings.embedding_model, texts)
        unembedded += [chunk for (_, chunk), vector in zip(batch, vectors, strict=True) if vector is None]
        usable = [(i, vector) for (i, _), vector in zip(batch, vectors, strict=True) if vector is not None]
        if usable:
            dependencies.vectors.add(
                [i for i, _ in usable], [vector for _, vector in usable], [task.version_id] * len(usable)
            )
    return unembedded


def _unembedded_note(unembedded: Sequence[Chunk], total: int) -> str | None:
    if not unembedded:
        return None
    page = unembedded[0].page
    place = "" if page == NO_PAGE else f", the first on page {page}"
    return f"The embedding model fails on {len(unembedded)} of {total} passages{place}; these are found by words only."
