# SPDX-License-Identifier: GPL-3.0-or-later
"""The vectors in Chroma. They are derived: PostgreSQL has the chunks, and a lost collection is built from these."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import chromadb
import httpx
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, NotFoundError

from tars_app.kit.errors import Unavailable

_PREFIX = "tars-"
T = TypeVar("T")


class VectorIndex:
    """One collection per embedding model, with cosine distance. Connects at the first use, and anew when lost.

    Every method raises Unavailable where Chroma does not answer.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = urlsplit(url)
        self.name = _PREFIX + re.sub(r"[^a-zA-Z0-9._-]+", "-", model).strip("-._")
        self._client: ClientAPI | None = None
        self._collection: Collection | None = None

    def add(self, ids: Sequence[UUID], vectors: Sequence[Sequence[float]], versions: Sequence[UUID]) -> None:
        """Write the vectors of chunks and which version each is of; an id that is there already is overwritten."""
        metadatas: Any = [{"version_id": str(version)} for version in versions]
        embeddings: Any = list(vectors)
        self._call(lambda c: c.upsert(ids=[str(i) for i in ids], embeddings=embeddings, metadatas=metadatas))

    def nearest(self, vector: Sequence[float], limit: int) -> list[tuple[UUID, float]]:
        """Chunk ids with their cosine similarity (-1..1), nearest first."""
        embeddings: Any = [list(vector)]
        found = self._call(lambda c: c.query(query_embeddings=embeddings, n_results=limit, include=["distances"]))
        distances = found["distances"] or [[]]
        return [(UUID(i), 1 - distance) for i, distance in zip(found["ids"][0], distances[0], strict=True)]

    def remove(self, ids: Sequence[UUID]) -> None:
        """Remove vectors; an id that is not there is no error."""
        if ids:
            self._call(lambda c: c.delete(ids=[str(i) for i in ids]))

    def ids(self, limit: int, offset: int) -> list[UUID]:
        """Some of all the ids there are."""
        found = self._call(lambda c: c.get(limit=limit, offset=offset, include=[]))
        return [UUID(i) for i in found["ids"]]

    def present(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids that have a vector."""
        found = self._call(lambda c: c.get(ids=[str(i) for i in ids], include=[]))
        return {UUID(i) for i in found["ids"]}

    def drop_other_models(self) -> list[str]:
        """Delete the collections of embedding models that are no longer used; returns their names."""
        self._call(lambda c: c.count())
        client = self._client
        assert client is not None  # the call above made it
        others = [
            collection.name
            for collection in client.list_collections()
            if collection.name.startswith(_PREFIX) and collection.name != self.name
        ]
        for name in others:
            client.delete_collection(name)
        return others

    def _call(self, operation: Callable[[Collection], T]) -> T:
        try:
            try:
                return operation(self._connected())
            except NotFoundError:  # the collection was deleted or restored under us and has another id now
                self._collection = None
                return operation(self._connected())
        except (ChromaError, httpx.HTTPError, ValueError, OSError) as error:
            self._client = self._collection = None
            raise Unavailable(
                f"The vector store does not answer: {error or type(error).__name__}",
                "Check that the chroma container is running.",
            ) from error

    def _connected(self) -> Collection:
        if self._collection is None:
            if self._client is None:
                self._client = chromadb.HttpClient(
                    host=self._url.hostname or "localhost",
                    port=self._url.port or 8000,
                    ssl=self._url.scheme == "https",
                    settings=ChromaSettings(anonymized_telemetry=False),
                )
            self._collection = self._client.get_or_create_collection(
                self.name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._collection
