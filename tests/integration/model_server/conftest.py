# SPDX-License-Identifier: GPL-3.0-or-later
"""The model server on a free loopback port, as its image starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
