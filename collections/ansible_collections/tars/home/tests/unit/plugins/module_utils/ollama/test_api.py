# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.ollama import api as ollama
from ansible_collections.tars.home.plugins.module_utils.ollama import models
from ansible_collections.tars.home.plugins.module_utils.ollama.server import Server


def test_a_server_without_models_returns_null() -> None:
    assert ollama.held({"models": None}) == {}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"status": "pulling manifest"}, "pulling m: pulling manifest"),
        ({"status": "pulling 0f", "total": 2_000_000_000}, "pulling m: 0 % of 2000 MB"),
        ({"status": "pulling 0f", "total": 200, "completed": 50}, "pulling m: 25 % of 0 MB"),
    ],
)
def test_progress(event: dict[str, Any], line: str) -> None:
    assert ollama.progress("m", event) == line


def test_an_error_within_the_stream_is_an_error() -> None:
    with pytest.raises(ollama.OllamaError, match="Pulling m failed: file does not exist"):
        list(
            ollama.events(
                [b'{"status":"pulling manifest"}\n', b"\n", b'{"error":"file does not exist"}\n'], "Pulling m"
            )
        )


class Streaming(HTTPServer):
    lines: list[dict[str, Any]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Streaming

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.writelines(json.dumps(line).encode() + b"\n" for line in self.server.lines)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Streaming]:
    """A server that streams its `lines` as the answer to every request."""
    with Streaming(("127.0.0.1", 0), Handler) as streaming:
        thread = threading.Thread(target=streaming.serve_forever, args=(0.01,))
        thread.start()
        yield streaming
        streaming.shutdown()
        thread.join()


def test_a_pull_to_its_end(server: Streaming) -> None:
    server.lines = [{"status": "pulling manifest"}, {"status": "success"}]
    assert ollama.pull(server.url, "m", 60) is None


def test_a_slice_of_a_pull_returns_its_progress(server: Streaming) -> None:
    server.lines = [{"status": "pulling 0f", "total": 4, "completed": 3}, {"status": "success"}]
    assert ollama.pull(server.url, "m", 0) == "pulling m: 75 % of 0 MB"


def test_a_stream_that_ends_without_success_is_an_error(server: Streaming) -> None:
    server.lines = [{"status": "writing manifest"}]
    with pytest.raises(ollama.OllamaError, match="without success; its last status: pulling m: writing manifest"):
        ollama.pull(server.url, "m", 60)


def test_a_server_that_cannot_be_reached() -> None:
    with pytest.raises(ollama.OllamaError, match=r"http://127.0.0.1:1/api/tags cannot be reached"):
        ollama.tags("http://127.0.0.1:1")


def test_state_from_the_output_of_the_probe() -> None:
    server = Server({"url": None, "container": "ollama", "port": 11434}, models.Goal(["a"]))
    tags = json.dumps({"models": [{"name": "a:latest", "digest": "1"}]})
    loaded = json.dumps({"models": [{"model": "b:1b"}]})
    assert server.parse_probe(0, f"{tags}\x1e{loaded}\x1e") == models.State({"a:latest": "1"}, ["b:1b"])
    assert server.parse_probe(1, "") is None
