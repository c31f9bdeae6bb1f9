# SPDX-License-Identifier: GPL-3.0-or-later
"""An embedding model that fails on one text: the real one rarely does, so a scripted server does, on a real socket."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tars_app.adapters.ollama import (
    ModelFailedError,
    NotInstalledError,
    embed,
    embed_passages,
    embed_question,
    make_client,
)
from tars_app.kit.errors import UnavailableError


class ScriptedModel(ThreadingHTTPServer):
    """Gives each text a vector of its length; a text that contains `bad` makes the whole request fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bad = "bad"
        self.failure: tuple[int, Any] = (500, {"error": "json: unsupported value: NaN"})
        self.requests = 0
        self.most = 10_000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: ScriptedModel

    def do_POST(self) -> None:
        self.server.requests += 1
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        status, answer = 200, {"embeddings": [[float(len(text)), 1.0] for text in texts]}
        if any(self.server.bad in text or len(text) > self.server.most for text in texts):
            status, answer = self.server.failure
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


FAILURES = {
    "NaN": (500, {"error": "json: unsupported value: NaN"}),
    "too long": (400, {"error": "the input length exceeds the context length"}),
    "no vectors": (200, {"embeddings": []}),
    "not a number": (200, b'{"embeddings": [[NaN, 1.0]]}'),
    "empty vector": (200, {"embeddings": [[]]}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("position", [0, 13, 31])
def test_a_passage_on_which_the_model_fails_costs_only_itself(
    model: ScriptedModel, failure: tuple[int, Any], position: int
) -> None:
    model.failure = failure
    texts = [f"text {'x' * number}" for number in range(32)]
    texts[position] = "a bad passage"
    vectors = embed_passages(make_client(model.url), "m", texts)
    assert vectors[position] is None
    assert [list(v) for v in vectors if v] == [[len(text), 1.0] for text in texts if "bad" not in text]
    assert model.requests <= 2 * 5 + 2


def test_a_text_that_is_too_long_gets_the_mean_of_its_parts(model: ScriptedModel) -> None:
    """The scripted model takes 200 characters; a vector is the number of characters, and 1."""
    model.most = 200
    model.failure = (400, {"error": "the input length exceeds the context length"})
    long = "word " * 160
    vectors = embed_passages(make_client(model.url), "m", ["short", long, "also short"])
    assert [list(vector) if vector else None for vector in (vectors[0], vectors[2])] == [[5.0, 1.0], [10.0, 1.0]]
    assert vectors[1] and len(vectors[1]) == 2 and 0.9 < vectors[1][0] / math.hypot(*vectors[1]) < 1
    assert list(embed_question(make_client(model.url), "m", long)) == list(vectors[1])


def test_a_question_on_which_the_model_fails_is_refused(model: ScriptedModel) -> None:
    with pytest.raises(ModelFailedError, match="fails on this text"):
        embed_question(make_client(model.url), "m", "a bad question")


def test_a_model_that_fails_on_everything_is_unavailable(model: ScriptedModel) -> None:
    model.bad = ""
    with pytest.raises(UnavailableError, match="The model m failed"):
        embed_passages(make_client(model.url), "m", [f"text {number}" for number in range(32)])
    assert model.requests < 10


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        ((404, {"error": "model 'm' not found"}), NotInstalledError, "m is not installed"),
        ((503, {"error": "busy"}), UnavailableError, "busy"),
        ((500, {"error": "broken"}), ModelFailedError, "broken"),
        ((200, b"<html>"), UnavailableError, "does not answer"),
    ],
)
def test_failures_are_named(
    model: ScriptedModel, failure: tuple[int, Any], kind: type[UnavailableError], words: str
) -> None:
    model.failure = failure
    with pytest.raises(UnavailableError, match=words) as caught:
        embed(make_client(model.url), "m", ["bad"])
    assert type(caught.value) is kind and caught.value.next_step
