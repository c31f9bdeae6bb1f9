# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that observe a corpus over time, with vectors of words in place of the embedding model's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.passage_index import PassageIndex
from tars_app.adapters.passage_occurrences import View
from tars_app.adapters.postgres import migrate
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.dates import claimed_date
from tars_app.documents.index import start_task, swap
from tars_app.documents.model import NO_PAGE, FileObservation
from tars_app.documents.parsers.model import Parsed, Section
from tars_app.documents.passages import place_passages
from tars_app.documents.vectors import pack, without_vector
from tars_app.documents.visible import visible_versions
from tars_app.snapshots import repository as snapshots
from tars_app.snapshots.record import Content
from tars_app.snapshots.repository import IMPORTED, Snapshot

from ..servers import Server
from .databases import empty_database

SOURCE = "LLM_docs"
DIMENSIONS = 512
_STATUS = FileStatus(9, 1_700_000_000_000_000_000)
_MODIFIED = datetime.fromtimestamp(1_700_000_000, UTC)


def vector_of(text: str) -> list[float]:
    """The counts of a text's words by their checksum."""
    vector = [0.001] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[crc32(word.encode()) % DIMENSIONS] += 1
    return vector


class WordEmbedder:
    """Ollama's client for vectors, as far as a search uses it. `texts` are those that it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, model: str, input: Sequence[str], truncate: bool = True) -> Any:
        self.texts += input
        return SimpleNamespace(embeddings=[vector_of(text) for text in input])


@dataclass(frozen=True)
class Place:
    """A passage of a document."""

    path: str
    ordinal: int
    page: int
    text: str


class Store:
    """A database, and the search in it."""

    def __init__(self, dependencies: Dependencies) -> None:
        self.dependencies = dependencies
        self.pool = dependencies.pool

    def clear(self) -> None:
        """Forget everything, also in memory."""
        with self.pool.connection() as connection:
            connection.execute(
                """TRUNCATE sources, documents, passages, snapshots, unwatched, forgotten, version_retention,
                   volatile.skipped_files CASCADE"""
            )
        repository.note_source(self.pool, SOURCE, Path("/documents"), available=True, detail=None)
        repository.note_scan(self.pool, SOURCE)
        self.forget_index()

    def forget_index(self) -> None:
        settings = self.dependencies.settings
        self.dependencies = replace(self.dependencies, passages=PassageIndex(self.pool, settings.embedding_model))

    def observe(self, path: str, text: str | None, at: datetime, read: bool = True) -> None:
        """Observe a file with this text, None for one that cannot be read; without `read` it is not indexed."""
        known = repository.living(self.pool, SOURCE).get(path)
        digest = sha256(text.encode()).hexdigest() if text else None
        observation = FileObservation(_STATUS, digest, None if text else "The file cannot be read.")
        repository.observe(self.pool, SOURCE, path, known.document_id if known else None, observation, at)
        if read:
            self.read()

    def read(self) -> None:
        """Index every version that waits. Its text is known by its hash alone, so the test hands it in."""
        tasks = [start_task(self.pool, version) for version in repository.waiting(self.pool)]
        for version in snapshots.waiting_earlier(self.pool, 1000):
            started = snapshots.start_earlier(self.pool, version)
            tasks.append(started and started[0])
        for task in tasks:
            assert task
            pages = [Section(NO_PAGE, TEXTS[task.sha256])]
            passages = place_passages(pages, 180, 1000)
            texts = {passage.hash: passage.text for passage in passages}
            model = self.dependencies.settings.embedding_model
            vectors = {value: pack(vector_of(texts[value])) for value in without_vector(self.pool, model, texts)}
            claimed = claimed_date(task.path, Parsed(pages), task.seen_from)
            assert swap(self.pool, task, passages, vectors, self.dependencies.settings, 0.0, claimed=claimed)

    def delete(self, path: str, at: datetime) -> None:
        repository.retire(self.pool, repository.living(self.pool, SOURCE)[path].document_id, at)

    def move(self, path: str, new: str, at: datetime) -> None:
        repository.rename(self.pool, repository.living(self.pool, SOURCE)[path].document_id, new, at)

    def import_snapshot(self, files: dict[str, str | None], at: datetime, end: datetime) -> None:
        """Add the observation of a snapshot with files of these texts, None for one that cannot be read."""
        record = snapshots.load_record(self.pool, SOURCE)
        name = f"GMT+00-{at:%Y.%m.%d-%H.%M.%S}"
        record.observe(at, end, name, {path: _content(text) for path, text in files.items()})
        snapshots.save_record(self.pool, SOURCE, record, [Snapshot(name, at, IMPORTED)])
        self.read()

    def latest_record(self) -> datetime:
        """The time that was recorded last."""
        with self.pool.connection() as connection:
            [row] = connection.execute(
                """SELECT max(recorded) AS latest FROM (
                       SELECT greatest(seen_from, seen_to) FROM versions UNION ALL SELECT seen_from FROM document_paths
                   ) AS history (recorded)"""
            ).fetchall()
        latest: datetime = row["latest"]
        return latest

    def view(self, at: datetime | None) -> View:
        with self.pool.connection() as connection:
            visible = visible_versions(connection, at)
        return self.dependencies.passages.view(visible.ids)

    def unread(self, at: datetime) -> int:
        """How many versions of a time have no text on record."""
        with self.pool.connection() as connection:
            past = visible_versions(connection, at).past
        assert past
        return past.unread

    def places(self, at: datetime | None) -> set[Place]:
        """Every passage that is visible at a time, with the path that its document had."""
        versions = [bytes(version).hex() for version in self.view(at).versions]
        with self.pool.connection() as connection:
            rows = connection.execute(
                """SELECT u.ordinal, u.page, p.text,
                          (SELECT h.path FROM document_paths h WHERE h.document_id = v.document_id
                               AND h.seen_from <= %s ORDER BY h.seen_from DESC LIMIT 1) AS path
                   FROM version_texts t JOIN versions v ON v.id = t.version_id
                   CROSS JOIN LATERAL unnest(t.hashes, t.pages) WITH ORDINALITY AS u (hash, page, ordinal)
                   JOIN passages p ON p.hash = u.hash WHERE v.id = ANY(%s::uuid[])""",
                (at or datetime.max, versions),
            ).fetchall()
        return {Place(row["path"], row["ordinal"], row["page"], row["text"]) for row in rows}


def _content(text: str | None) -> Content:
    digest = sha256(text.encode()).hexdigest() if text else None
    return Content(digest, None if text else "The file cannot be read.", _STATUS.size, _MODIFIED)


TEXTS: dict[str, str] = {}
"""Texts by their hash."""


def remember(text: str) -> str:
    TEXTS[sha256(text.encode()).hexdigest()] = text
    return text


@contextmanager
def open_store(server: Server) -> Iterator[Store]:
    with empty_database(server) as settings:
        migrate(settings)
        made = replace(make_dependencies(settings), embedder=WordEmbedder())  # type: ignore[arg-type]  # see above
        with made.pool:
            store = Store(made)
            store.clear()
            yield store
