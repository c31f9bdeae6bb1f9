# SPDX-License-Identifier: GPL-3.0-or-later
"""The model server on a free loopback port, as its image starts it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

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
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                assert httpx.get(self.url).text == "Ollama is running"
                return
            except httpx.TransportError:
                assert self.process.poll() is None, f"the model server ended with {self.process.returncode}"
                time.sleep(0.1)
        raise TimeoutError(f"the model server does not answer at {self.url}")

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Server]:
    """A server with an empty store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(port, tmp_path_factory.mktemp("ollama") / "models", root)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def client(server: Server) -> ollama.Client:
    """The official client."""
    return ollama.Client(server.url, timeout=300)


@pytest.fixture
def models(client: ollama.Client) -> None:
    """Both models are pulled."""
    client.pull(CHAT)
    client.pull(EMBEDDING)


@dataclass
class Relay:
    """Stands between a client and the server and keeps what the server said, as it went over the wire."""

    url: str
    said: list[tuple[str, list[dict[str, Any]]]]

    def answers(self, path: str) -> list[list[dict[str, Any]]]:
        """The lines of each answer to this path, oldest first."""
        return [lines for asked, lines in self.said if asked == path]


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    """The server by way of a relay."""
    said: list[tuple[str, list[dict[str, Any]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(b"")

        def do_POST(self) -> None:
            self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

        def pass_on(self, body: bytes) -> None:
            lines: list[dict[str, Any]] = []
            said.append((self.path, lines))
            with (
                httpx.Client(timeout=None) as client,
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
        yield Relay(f"http://127.0.0.1:{httpd.server_port}", said)
        httpd.shutdown()
        thread.join()
