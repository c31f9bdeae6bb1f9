# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one version of a document into both stores."""

import hashlib
import logging
import time
from uuid import UUID

from tars_app.documents import index
from tars_app.documents.chunks import chunk_page
from tars_app.documents.extract import Unreadable, extract
from tars_app.documents.index import Task
from tars_app.documents.sources import read_file
from tars_app.errors import Unavailable
from tars_app.retrieval.embedding import embed
from tars_app.services import Services

log = logging.getLogger(__name__)

BATCH = 32
"""Texts per call of the embedding model."""


def ingest(services: Services, version_id: UUID) -> None:
    """Read a version, unless it was overtaken. A file that cannot be read for good is recorded as failed.

    Raises:
        Unavailable: something is away that comes back; try again later. Nothing has changed.
        psycopg.Error: the database failed; the same holds.
    """
    started = time.monotonic()
    task = index.load_task(services.pool, version_id)
    if task is None:
        return
    try:
        _ingest(services, task, started)
    except Unreadable as error:
        log.warning("Not readable", extra={"fields": {"version": version_id, "reason": str(error)}})
        index.fail(services.pool, version_id, str(error))
    except Unavailable as error:
        index.note_waiting(services.pool, version_id, f"Waiting: {error}")
        raise


def _ingest(services: Services, task: Task, started: float) -> None:
    settings = services.settings
    try:
        content = read_file(task.root, task.path, settings.max_file_bytes)
    except OSError as error:
        raise Unavailable(
            f"{task.path}: {error.strerror or error}", "Check that the NAS is on and its share is mounted."
        ) from error
    if hashlib.sha256(content).hexdigest() != task.sha256:
        index.look_again(services.pool, task.document_id)
        return
    pages = extract(task.path, content)
    del content
    chunks = [c for page in pages for c in chunk_page(page, settings.chunk_words, settings.chunk_characters)]
    ids = index.announce(services.pool, len(chunks))
    visible = False
    try:
        for start in range(0, len(chunks), BATCH):
            texts = [chunk.text for chunk in chunks[start : start + BATCH]]
            vectors = embed(services.embedder, settings.embedding_model, texts)
            services.vectors.add(ids[start : start + BATCH], vectors, [task.version_id] * len(texts))
        took_s = time.monotonic() - started
        visible = index.swap(services.pool, task, pages, chunks, ids, settings.text_search, took_s)
    finally:
        if not visible:
            index.abandon(services.pool, ids)
    if visible:
        fields = {"version": task.version_id, "pages": len(pages), "chunks": len(chunks), "seconds": round(took_s, 3)}
        log.info("Indexed", extra={"fields": fields})
