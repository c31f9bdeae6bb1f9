# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one version of a document into both stores."""

from __future__ import annotations

import hashlib
import logging
import time
from uuid import UUID

from tars_app.adapters.mounts import read_file
from tars_app.adapters.ollama import embed
from tars_app.dependencies import Dependencies
from tars_app.documents import index
from tars_app.documents.chunks import chunk_page
from tars_app.documents.extract import Unreadable, extract
from tars_app.documents.index import Task
from tars_app.kit.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 32
"""Texts per call of the embedding model."""


def ingest(dependencies: Dependencies, version_id: UUID) -> None:
    """Read a version, unless it was overtaken. A file that cannot be read for good is recorded as failed.

    Raises:
        Unavailable: something is away that comes back; try again later. Nothing has changed.
        psycopg.Error: the database failed; the same holds.
    """
    started = time.monotonic()
    task = index.load_task(dependencies.pool, version_id)
    if task is None:
        return
    try:
        _ingest(dependencies, task, started)
    except Unreadable as error:
        log.warning("Not readable", extra={"fields": {"version": version_id, "reason": str(error)}})
        index.fail(dependencies.pool, version_id, str(error))
    except Unavailable as error:
        index.note_waiting(dependencies.pool, version_id, f"Waiting: {error}")
        raise


def _ingest(dependencies: Dependencies, task: Task, started: float) -> None:
    settings = dependencies.settings
    try:
        content = read_file(task.root, task.path, settings.max_file_bytes)
    except OSError as error:
        raise Unavailable(
            f"{task.path}: {error.strerror or error}", "Check that the NAS is on and its share is mounted."
        ) from error
    if hashlib.sha256(content).hexdigest() != task.sha256:
        index.look_again(dependencies.pool, task.document_id)
        return
    pages = extract(task.path, content)
    del content
    chunks = [c for page in pages for c in chunk_page(page, settings.chunk_words, settings.chunk_characters)]
    ids = index.announce(dependencies.pool, len(chunks))
    visible = False
    try:
        for start in range(0, len(chunks), BATCH):
            texts = [chunk.text for chunk in chunks[start : start + BATCH]]
            vectors = embed(dependencies.embedder, settings.embedding_model, texts)
            dependencies.vectors.add(ids[start : start + BATCH], vectors, [task.version_id] * len(texts))
        took_s = time.monotonic() - started
        visible = index.swap(dependencies.pool, task, pages, chunks, ids, settings.text_search, took_s)
    finally:
        if not visible:
            index.abandon(dependencies.pool, ids)
    if visible:
        fields = {"version": task.version_id, "pages": len(pages), "chunks": len(chunks), "seconds": round(took_s, 3)}
        log.info("Indexed", extra={"fields": fields})
