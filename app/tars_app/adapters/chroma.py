# SPDX-License-Identifier: GPL-3.0-or-later
"""The vectors in Chroma, an index that follows PostgreSQL. A lost collection is filled from the vectors there.

The client speaks Chroma's HTTP API (v2) itself. The public client has no timeout, and answers some failures of the
server with a bare `Exception`.
"""

from __future__ import annotations

import re
import struct
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import httpx

from tars_app.kit.errors import UnavailableError

_PREFIX = "tars-"
_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_MAX_COLLECTIONS = 1000
_HASH = re.compile(r"[0-9a-f]{64}")
TIMEOUT = httpx.Timeout(60, connect=5)
"""In seconds. The exact scan of a large collection, read from the disk for the first time, takes its time."""
LEAST_RECALL = 0.98
"""Share of the nearest passages that Chroma has to return. Below it, questions are compared with all vectors."""


class VectorStoreError(UnavailableError):
    """Chroma does not answer, or ends while it handles a request."""


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

    def add(self, hashes: Sequence[bytes], vectors: Iterable[Sequence[float]]) -> None:
        """Write the vectors of passages. A vector of the same passage is overwritten."""
        if hashes:
            # Numbers in base64 are imported 1.7 times as fast as numbers in JSON.
            encoded = [b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in vectors]
            self._post("upsert", {"ids": [value.hex() for value in hashes], "embeddings": encoded})

    def nearest(self, vector: Sequence[float], limit: int) -> list[tuple[bytes, float]]:
        """Return passages with their cosine similarity (-1 to 1), nearest first."""
        answer = self._post("query", {"query_embeddings": [list(vector)], "n_results": limit, "include": ["distances"]})
        pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
        return [(bytes.fromhex(i), 1 - distance) for i, distance in pairs if is_hash(i)]

    def remove(self, ids: Iterable[str]) -> None:
        """Remove vectors. An id without a vector is ignored."""
        if names := list(ids):
            self._post("delete", {"ids": names})

    def ids(self) -> list[str]:
        """Return all ids. They are hashes of passages, unless someone else wrote into the collection.

        One request reads them: pages would miss some while others are removed.
        """
        return list(self._post("get", {"include": []})["ids"])

    def count(self) -> int:
        """Return the number of vectors."""
        return int(self._use(lambda collection: self._request("GET", f"/collections/{collection}/count")))

    def is_alive(self) -> bool:
        """Return whether Chroma answers a request that concerns no collection. Raises nothing."""
        try:
            return self._http.get(self._http.base_url.join("/api/v2/heartbeat")).is_success
        except httpx.HTTPError:
            return False

    def clear(self) -> None:
        """Delete the collection, and create it again: removing most of its vectors would leave it slow."""
        self._request("DELETE", f"/collections/{self.name}")
        self._current_collection(lost=self._collection)

    def drop_other_models(self) -> list[str]:
        """Delete the collections of embedding models that are no longer used; return their names."""
        collections = self._request("GET", "/collections", params={"limit": _MAX_COLLECTIONS})
        names = [str(collection["name"]) for collection in collections]
        others = [name for name in names if name.startswith(_PREFIX) and name != self.name]
        for name in others:
            self._request("DELETE", f"/collections/{name}")
        return others

    def _post(self, action: str, body: dict[str, Any]) -> Any:
        return self._use(lambda collection: self._request("POST", f"/collections/{collection}/{action}", json=body))

    def _use(self, request: Callable[[str], Any]) -> Any:
        """Send a request to the collection, and once more where the collection was deleted or restored meanwhile."""
        collection = self._current_collection()
        try:
            return request(collection)
        except _NotFoundError:
            return request(self._current_collection(lost=collection))

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


def _unavailable(reason: str) -> VectorStoreError:
    message = f"The vector store does not answer: {reason}"
    return VectorStoreError(message, "Check that the chroma container is running.")


def is_hash(text: str) -> bool:
    """Return whether an id is the hash of a passage."""
    return bool(_HASH.fullmatch(text))
