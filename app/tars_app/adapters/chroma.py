# SPDX-License-Identifier: GPL-3.0-or-later
"""The vectors in Chroma. They are derived: PostgreSQL has the chunks, and a lost collection is built from these.

The client speaks Chroma's HTTP API (v2) itself. The public client has no timeout, and answers some failures of the
server with a bare `Exception`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

from tars_app.kit.errors import UnavailableError

_PREFIX = "tars-"
_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_MAX_COLLECTIONS = 1000
TIMEOUT = httpx.Timeout(60, connect=5)
"""In seconds. The exact scan of a large collection, read from the disk for the first time, takes its time."""


class RequestRefusedError(Exception):
    """Chroma refuses this request; others may succeed. The message is what it reported."""


class VectorIndex:
    """One collection per embedding model, with cosine distance. It may be used by many threads at a time.

    The collection is looked up at the first use, and again when it was deleted or restored meanwhile. Every method
    raises UnavailableError where Chroma does not answer, and RequestRefusedError where it refuses this request.
    """

    def __init__(self, url: str, model: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        self.name = _PREFIX + re.sub(r"[^a-zA-Z0-9._-]+", "-", model).strip("-._")
        self._http = httpx.Client(base_url=url.rstrip("/") + _DATABASE, timeout=timeout, trust_env=False)
        self._lock = threading.Lock()
        self._collection: str | None = None

    def add(self, ids: Sequence[UUID], vectors: Sequence[Sequence[float]], versions: Sequence[UUID]) -> None:
        """Write the vectors of chunks, each with the version it belongs to. A vector of the same id is overwritten."""
        body = {
            "ids": [str(i) for i in ids],
            "embeddings": [list(vector) for vector in vectors],
            "metadatas": [{"version_id": str(version)} for version in versions],
        }
        self._post("upsert", body)

    def nearest(self, vector: Sequence[float], limit: int) -> list[tuple[UUID, float]]:
        """Return chunk ids with their cosine similarity (-1 to 1), nearest first."""
        answer = self._post("query", {"query_embeddings": [list(vector)], "n_results": limit, "include": ["distances"]})
        pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
        return [(chunk_id, 1 - distance) for i, distance in pairs if (chunk_id := as_uuid(i))]

    def remove(self, ids: Iterable[object]) -> None:
        """Remove vectors. An id without a vector is ignored."""
        if names := [str(i) for i in ids]:
            self._post("delete", {"ids": names})

    def ids(self, limit: int, offset: int) -> list[str]:
        """Return a page of all ids. They are those of chunks, unless someone else wrote into the collection."""
        return list(self._post("get", {"limit": limit, "offset": offset, "include": []})["ids"])

    def present(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the ids that have a vector."""
        answer = self._post("get", {"ids": [str(i) for i in ids], "include": []})
        return {UUID(i) for i in answer["ids"]}

    def drop_other_models(self) -> list[str]:
        """Delete the collections of embedding models that are no longer used; return their names."""
        collections = self._request("GET", "/collections", params={"limit": _MAX_COLLECTIONS})
        names = [str(collection["name"]) for collection in collections]
        others = [name for name in names if name.startswith(_PREFIX) and name != self.name]
        for name in others:
            self._request("DELETE", f"/collections/{name}")
        return others

    def _post(self, action: str, body: dict[str, Any]) -> Any:
        collection = self._current_collection()
        try:
            return self._request("POST", f"/collections/{collection}/{action}", json=body)
        except _NotFoundError:  # deleted or restored meanwhile, and has another id now
            collection = self._current_collection(lost=collection)
            return self._request("POST", f"/collections/{collection}/{action}", json=body)

    def _current_collection(self, lost: str | None = None) -> str:
        """Return the id of the collection; `lost` is one that no longer exists. One thread at a time requests it."""
        with self._lock:
            if self._collection is None or self._collection == lost:
                settings = {"hnsw": {"space": "cosine"}}
                body = {"name": self.name, "get_or_create": True, "configuration": settings}
                self._collection = str(self._request("POST", "/collections", json=body)["id"])
            return self._collection

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._http.request(method, path, **arguments)
            if answer.is_success:
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _unavailable(str(error) or type(error).__name__) from error
        reason = f"status {answer.status_code}: {answer.text[:300]}"
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise _NotFoundError(reason)
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise _unavailable(reason)
        raise RequestRefusedError(f"The vector store refuses a request: {reason}")


class _NotFoundError(RequestRefusedError):
    """The collection does not exist."""


def _unavailable(reason: str) -> UnavailableError:
    message = f"The vector store does not answer: {reason}"
    return UnavailableError(message, "Check that the chroma container is running.")


def as_uuid(text: str) -> UUID | None:
    """Return the id of a chunk, None for the id of anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
