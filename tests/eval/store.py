# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that has observed an evaluation set over time, and the searches in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.passage_index import PassageIndex, TextHit
from tars_app.adapters.passage_occurrences import View
from tars_app.adapters.passage_words import Word
from tars_app.adapters.postgres import migrate
from tars_app.dependencies import Dependencies, make_dependencies
from tars_app.documents import repository
from tars_app.documents.dates import claimed_date
from tars_app.documents.index import start_task, swap
from tars_app.documents.model import NO_PAGE, FileObservation
from tars_app.documents.parsers.model import Parsed, Section
from tars_app.documents.parsers.registry import find_format, parse
from tars_app.documents.passages import place_passages
from tars_app.documents.vectors import pack
from tars_app.documents.visible import visible_versions
from tars_lab.model_server import store as model_store
from tars_lab.model_server.catalogue import find
from tars_lab.model_server.names import ModelName
from tars_lab.model_server.onnx_runner import SentenceEncoder

from ..integration.app.databases import empty_database
from ..integration.servers import Server
from .corpus import EvaluationSet, morning_of

SOURCE = "LLM_docs"


class Embedder:
    """Ollama's client for vectors, as far as a search uses it, with the lab's embedding model in this process."""

    def __init__(self) -> None:
        """Load the model (MiniLM, 8 bit, from an installed package)."""
        model = find(ModelName("all-minilm"))
        assert model, "the lab's catalogue has no embedding model"
        files = {layer.media_type: str(layer.source) for layer in model.layers if isinstance(layer.source, Path)}
        self._encoder = SentenceEncoder(files[model_store.MODEL_LAYER], files[model_store.TOKENIZER_LAYER], 256, 1)
        self._known: dict[str, list[float]] = {}

    def embed(self, model: str, input: Sequence[str], truncate: bool = True) -> Any:
        """Answer as Ollama's client does."""
        for text in input:
            if text not in self._known:
                self._known[text] = self._encoder.encode(text)[0]
        return SimpleNamespace(embeddings=[self._known[text] for text in input])


class ExactVectors:
    """In place of Chroma: the nearest passages of now, exactly."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    def nearest(self, vector: Sequence[float], limit: int) -> list[tuple[bytes, float]]:
        """Return passages with their cosine similarity (-1 to 1), nearest first."""
        with self._dependencies.pool.connection() as connection:
            ids = visible_versions(connection, None).ids
        index = self._dependencies.passages
        return index.nearest(index.view(ids), vector, limit)


class WordsOnly(PassageIndex):
    """An index that finds nothing by vectors."""

    def nearest(
        self, view: View, vector: Sequence[float], limit: int, model: str | None = None
    ) -> list[tuple[bytes, float]]:
        """Return nothing."""
        return []


class VectorsOnly(PassageIndex):
    """An index that finds nothing by words."""

    def lexical(self, view: View, words: Iterable[Word], limit: int, optional: Any = ()) -> list[TextHit]:
        """Return nothing."""
        return []


@contextmanager
def observed(server: Server, evaluation: EvaluationSet, embedder: Embedder) -> Iterator[Dependencies]:
    """Yield the clients of a database that observed every content of the set on its day; now is the day of the set."""
    with empty_database(server) as settings:
        migrate(settings)
        now = morning_of(evaluation.today) + timedelta(hours=3)
        clients = make_dependencies(settings)
        made = replace(clients, embedder=embedder, now=lambda: now)  # type: ignore[arg-type]  # all that is used of it
        with made.pool:
            repository.note_source(made.pool, SOURCE, Path("/documents"), available=True, detail=None)
            repository.note_scan(made.pool, SOURCE)
            _observe_all(made, evaluation, embedder)
            yield with_index(made, PassageIndex)


def with_index(dependencies: Dependencies, kind: type[PassageIndex]) -> Dependencies:
    """Return the clients with an index of this kind, and its vectors in place of Chroma's."""
    made = replace(dependencies, passages=kind(dependencies.pool, dependencies.settings.embedding_model))
    return replace(made, vectors=ExactVectors(made))  # type: ignore[arg-type]  # all that a search uses of it


def _observe_all(dependencies: Dependencies, evaluation: EvaluationSet, embedder: Embedder) -> None:
    pool = dependencies.pool
    events = sorted(
        ((content, document.path) for document in evaluation.documents for content in document.contents),
        key=lambda event: (event[0].observed, event[1]),
    )
    known: dict[str, UUID] = {}
    for content, path in events:
        at = morning_of(content.observed)
        if content.text is None:
            repository.retire(pool, known[path], at)
            continue
        digest = sha256(content.text.encode()).hexdigest()
        status = FileStatus(len(content.text), int(at.timestamp() * 1e9))
        repository.observe(pool, SOURCE, path, known.get(path), FileObservation(status, digest, None), at)
        known[path] = repository.living(pool, SOURCE)[path].document_id
        _index(dependencies, content.text, embedder)


def _index(dependencies: Dependencies, text: str, embedder: Embedder) -> None:
    """Index the version that waits, which has this text."""
    [version] = repository.waiting(dependencies.pool)
    task = start_task(dependencies.pool, version)
    assert task
    parsed = parse(task.path, text.encode()) if find_format(task.path) else Parsed([Section(NO_PAGE, text)])
    settings = dependencies.settings
    passages = place_passages(parsed.sections, settings.chunk_words, settings.chunk_characters)
    vectors = {passage.hash: pack(embedder.embed("", [passage.embedded_text]).embeddings[0]) for passage in passages}
    claimed = claimed_date(task.path, parsed, task.seen_from)
    assert swap(dependencies.pool, task, passages, vectors, settings, 0.0, claimed=claimed)
