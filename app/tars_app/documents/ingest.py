# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one version of a document: extract its text, compute the vectors that are missing, and store both."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from tars_app.adapters.chroma import RequestRefusedError
from tars_app.adapters.mounts import ShareUnavailableError, read_file, require_answer
from tars_app.adapters.ollama import Vector, embed_passages
from tars_app.dependencies import Dependencies
from tars_app.documents import index
from tars_app.documents.dates import claimed_date
from tars_app.documents.extract import extract
from tars_app.documents.follow import EMBED_BATCH, follow_changes
from tars_app.documents.index import MAX_ATTEMPTS, Task
from tars_app.documents.model import NO_PAGE, UnreadableError
from tars_app.documents.passages import PlacedPassage, place_passages
from tars_app.documents.vectors import without_vector
from tars_app.kit.errors import UnavailableError, summarize

log = logging.getLogger(__name__)


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
    extraction = extract(task.path, content)
    pages = extraction.pages
    del content
    claimed = claimed_date(task.path, pages, extraction.pdf_date, task.seen_from)
    passages = place_passages(pages, settings.chunk_words, settings.chunk_characters)
    vectors, note = _missing_vectors(dependencies, passages)
    if note:
        fields = {"version": task.version_id, "path": task.path, "reason": note}
        log.warning("Passages have no vector", extra={"fields": fields})
    took_s = time.monotonic() - started
    if index.swap(dependencies.pool, task, passages, vectors, settings, took_s, note, claimed):
        fields = {"version": task.version_id, "pages": len(pages), "passages": len(passages), "embedded": len(vectors)}
        log.info("Indexed", extra={"fields": {**fields, "seconds": round(took_s, 3)}})
        _follow(dependencies)


def _follow(dependencies: Dependencies) -> None:
    """Write the changes to Chroma now. If this fails, the next pass of the worker does it."""
    try:
        follow_changes(dependencies)
    except (UnavailableError, RequestRefusedError) as error:
        log.warning("Chroma follows later", extra={"fields": {"reason": str(error)}})


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


def _missing_vectors(
    dependencies: Dependencies, passages: Sequence[PlacedPassage]
) -> tuple[dict[bytes, Vector], str | None]:
    """Return the vectors of those passages that have none yet, and a note where the embedding model fails on some."""
    model = dependencies.settings.embedding_model
    texts = {passage.hash: passage.text for passage in passages}
    hashes = sorted(without_vector(dependencies.pool, model, texts))
    vectors: dict[bytes, Vector] = {}
    for start in range(0, len(hashes), EMBED_BATCH):
        batch = hashes[start : start + EMBED_BATCH]
        embedded = embed_passages(dependencies.embedder, model, [texts[value] for value in batch])
        vectors |= {value: vector for value, vector in zip(batch, embedded, strict=True) if vector is not None}
    failed = set(hashes) - set(vectors)
    unembedded = [passage for passage in passages if passage.hash in failed]
    return vectors, _unembedded_note(unembedded, len(passages))


def _unembedded_note(unembedded: Sequence[PlacedPassage], total: int) -> str | None:
    if not unembedded:
        return None
    page = unembedded[0].page
    place = "" if page == NO_PAGE else f", the first on page {page}"
    return f"The embedding model fails on {len(unembedded)} of {total} passages{place}; these are found by words only."
