# SPDX-License-Identifier: GPL-3.0-or-later
"""The model server on a free loopback port, started as in its image."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from ..servers import free_port, wait_for

CHAT = "smollm2:135m"
EMBEDDING = "all-minilm"


@dataclass
class Server:
    """A running server. models: its store. start() again after stop() serves the same store."""

    port: int
    models: Path
    root: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self.root / "library"),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
            "OLLAMA_MODELS": str(self.models),
            "TMPDIR": str(self.models.parent),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tars_lab.model_server", *arguments]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command("serve"), env=self.environment)
        wait_for(self._answers, f"the model server at {self.url}")

    def _answers(self) -> bool:
        if self.process and self.process.poll() is not None:
            pytest.fail(f"the model server ended with {self.process.returncode}")
        return httpx.get(self.url, timeout=60).text == "Ollama is running"

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait(timeout=180)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Server]:
    """Yield a server with an empty store."""
    server = Server(free_port(), tmp_path_factory.mktemp("ollama") / "models", root)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def client(server: Server) -> ollama.Client:
    """Return the official client."""
    return ollama.Client(server.url, timeout=300)


@pytest.fixture
def models(client: ollama.Client) -> None:
    """Pull both models."""
    client.pull(CHAT)
    client.pull(EMBEDDING)


@dataclass
class Relay:
    """A proxy between a client and the server that records the answers of the server."""

    url: str
    recorded: list[tuple[str, list[dict[str, Any]]]]

    def answers(self, path: str) -> list[list[dict[str, Any]]]:
        """Return the lines of each answer to this path, oldest first."""
        return [lines for requested, lines in self.recorded if requested == path]


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """Yield a proxy in front of the server."""
    recorded: list[tuple[str, list[dict[str, Any]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(b"")

        def do_POST(self) -> None:
            self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

        def pass_on(self, body: bytes) -> None:
            lines: list[dict[str, Any]] = []
            recorded.append((self.path, lines))
            with (
                # An answer of a model can take minutes.
                httpx.Client(timeout=None) as client,  # noqa: S113
                client.stream(self.command, server.url + self.path, content=body) as answer,
                contextlib.suppress(BrokenPipeError, ConnectionResetError),
            ):
                self.send_response(answer.status_code)
                self.end_headers()
                for line in answer.iter_lines():
                    lines.append(json.loads(line))
                    self.wfile.write(line.encode() + b"\n")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
        thread.start()
        yield Relay(f"http://127.0.0.1:{httpd.server_port}", recorded)
        httpd.shutdown()
        thread.join()
