# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of Chroma, against the real server behind a proxy that injects failures."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import chromadb
import httpx
import pytest

from tars_app.adapters.chroma import RequestRefusedError, VectorIndex
from tars_app.kit.errors import UnavailableError

from .conftest import Server, start_chroma

pytestmark = pytest.mark.integration

THREADS = 32


def hash_of(number: int) -> bytes:
    """Return the hash of a passage."""
    return number.to_bytes(32)


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests to Chroma; `fault` decides about each one: a status to answer, "close", "hang", or None."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.target = target
        self.faults: list[int | str | None] = [None]
        self.random = random.Random(4)
        self.released = threading.Event()
        self.created = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class ProxyHandler(BaseHTTPRequestHandler):
    server: FaultyProxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.random.choice(self.server.faults)
        if fault == "hang":
            self.server.released.wait(600)
        if isinstance(fault, str):
            return
        if fault is not None:
            return self._answer(fault, b"database is locked")
        self.server.created += self.path.endswith("/collections")
        url = f"{self.server.target}{self.path}"
        answer = httpx.request(self.command, url, content=body, trust_env=False, timeout=60)
        self._answer(answer.status_code, answer.content)

    do_GET = do_POST = do_DELETE = _pass  # noqa: N815  names that http.server requires

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: a test drops all collections but one."""
    server = start_chroma(tmp_path_factory.mktemp("vectors"))
    yield server
    server.stop()


@pytest.fixture
def proxy(chroma: Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(chroma.environment["CHROMA_URL"]) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()


@pytest.fixture
def model() -> str:
    """The name of an embedding model, and so of a collection, that no other test uses."""
    return f"test-{uuid4()}"


def collections(proxy: FaultyProxy, name: str) -> list[Any]:
    host, port = proxy.target.removeprefix("http://").split(":")
    client = chromadb.HttpClient(host=host, port=int(port))
    return [collection for collection in client.list_collections() if collection.name == name]


def at_once(work: Any) -> list[Any]:
    """Run the work in many threads that begin together."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as executor:
        return list(executor.map(run, range(THREADS)))


def test_many_threads_share_a_client_at_its_first_use(proxy: FaultyProxy, model: str) -> None:
    index = VectorIndex(proxy.url, model)
    hashes = [hash_of(number) for number in range(THREADS)]
    at_once(lambda number: index.add([hashes[number]], [[1.0, number]]))
    assert proxy.created == 1
    assert sorted(index.ids()) == [value.hex() for value in hashes]
    [collection] = collections(proxy, index.name)
    assert collection.count() == THREADS and collection.configuration["hnsw"]["space"] == "cosine"


def test_failures_under_many_threads_are_always_unavailable(proxy: FaultyProxy, model: str) -> None:
    index = VectorIndex(proxy.url, model)
    proxy.faults = [None, None, 500, 503, "close"]

    def use(number: int) -> int:
        failures = 0
        for attempt in range(10):
            try:
                index.add([hash_of(100 * number + attempt)], [[1.0, number]])
                assert index.nearest([1.0, 0.0], 3)
            except UnavailableError as error:
                assert "chroma container" in error.next_step
                failures += 1
        return failures

    failures = sum(at_once(use))
    assert 0 < failures < 10 * THREADS
    proxy.faults = [None]
    assert len(collections(proxy, index.name)) == 1
    assert at_once(lambda number: len(index.nearest([1.0, 0.0], 5))) == [5] * THREADS


def test_a_server_that_does_not_reply_is_unavailable_in_time(proxy: FaultyProxy, model: str) -> None:
    proxy.faults = ["hang"]
    with pytest.raises(UnavailableError, match="does not answer"):
        VectorIndex(proxy.url, model, timeout=httpx.Timeout(60, read=0.5)).nearest([1.0], 1)
    proxy.faults = [None]
    assert VectorIndex(proxy.url, model).nearest([1.0], 1) == []


def test_a_collection_that_was_deleted_is_created_again_by_one_thread(proxy: FaultyProxy, model: str) -> None:
    index = VectorIndex(proxy.url, model)
    index.add([hash_of(1)], [[1.0, 0.0]])
    host, port = proxy.target.removeprefix("http://").split(":")
    chromadb.HttpClient(host=host, port=int(port)).delete_collection(index.name)
    at_once(lambda number: index.add([hash_of(number)], [[1.0, number]]))
    assert proxy.created == 2 and len(index.ids()) == THREADS


def test_a_request_that_chroma_refuses_is_not_taken_for_a_server_that_is_down(proxy: FaultyProxy, model: str) -> None:
    index = VectorIndex(proxy.url, model)
    index.add([hash_of(1)], [[1.0, 0.0]])
    with pytest.raises(RequestRefusedError, match="dimension"):
        index.add([hash_of(2)], [[1.0, 0.0, 0.0]])
    ((nearest, similarity),) = index.nearest([1.0, 0.0], 1)
    assert nearest == hash_of(1) and similarity == pytest.approx(1.0)


def test_ids_that_are_not_ours_are_left_out_of_results(proxy: FaultyProxy, model: str) -> None:
    index = VectorIndex(proxy.url, model)
    index.add([hash_of(1)], [[1.0, 0.0]])
    [collection] = collections(proxy, index.name)
    collection.add(ids=["someone else's"], embeddings=[[1.0, 0.1]])
    assert [value for value, _ in index.nearest([1.0, 0.0], 5)] == [hash_of(1)]
    assert sorted(index.ids()) == sorted([hash_of(1).hex(), "someone else's"])
    index.remove(["someone else's"])
    assert index.ids() == [hash_of(1).hex()]


def test_collections_of_other_models_are_dropped(proxy: FaultyProxy, model: str) -> None:
    old, new = VectorIndex(proxy.url, f"{model}-old"), VectorIndex(proxy.url, model)
    for index in (old, new):
        index.add([hash_of(1)], [[1.0, 0.0]])
    proxy.faults = [500]
    with pytest.raises(UnavailableError):
        new.drop_other_models()
    proxy.faults = [None]
    assert old.name in new.drop_other_models()
    assert not collections(proxy, old.name) and len(collections(proxy, new.name)) == 1
