# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for tests, each started on loopback with data of its own and ended by its process id."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import ollama
import psycopg
import pytest
import redis

from .. import waiting
from .accounts import as_other

REDIS_PASSWORD = "test-secret"


_given: set[int] = set()


def free_port() -> int:
    """A port that no other test gets, in this process or in another one of the same run.

    It lies below those that the kernel gives to clients, one of which could take it before its server starts. A server
    that a test stops finds its port free again.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    while True:
        # Not from the common generator, which Hypothesis sets to the same state again and again.
        port = 4 * random.SystemRandom().randrange(min(20000, first - 5000) // 4, first // 4) + process
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def wait_for(condition: Callable[[], Any], what: str, seconds: float = waiting.PATIENCE_S) -> Any:
    """The first true value of `condition`; fails with its last error."""
    passing = (OSError, httpx.HTTPError, psycopg.Error, redis.RedisError, AssertionError)
    return waiting.wait_for(condition, what, seconds, passing=passing)


@dataclass
class Server:
    """A process and how to start it, so that a test can take it away and bring it back."""

    command: list[str]
    log: Path
    ready: Callable[[], Any]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            # It ends with this process, also where that is killed and no fixture can stop it.
            bound = ["setpriv", "--pdeathsig", signal.Signals(self.stop_signal).name, *self.command]
            self.process = subprocess.Popen(
                bound, stdout=log, stderr=log, env=os.environ | self.environment, start_new_session=True
            )
        if wait:
            wait_for(self._is_ready, f"{self.command[0]} (log: {self.log})")

    def _is_ready(self) -> Any:
        assert self.process
        if self.process.poll() is not None:
            pytest.fail(f"{self.command} ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        return self.ready()

    def stop(self, kill: bool = False) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else self.stop_signal)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the server answer nothing, as one that is busy."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()


def accepts(database: str) -> bool:
    """Whether PostgreSQL accepts a connection; raises psycopg.OperationalError otherwise."""
    psycopg.connect(database).close()
    return True


def get_ok(url: str) -> bool:
    return httpx.get(url, timeout=2, trust_env=False).is_success


def start_postgres(folder: Path, binaries: Path | None = None) -> Server:
    """Start a PostgreSQL server, of the newest version installed by default. Its data and log are in the folder."""
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    binaries = binaries or max(installed, default=None, key=lambda path: float(path.parent.name))
    assert binaries, "PostgreSQL's server is missing: apt-get install postgresql"
    data, port = folder / "postgres", free_port()
    data.mkdir()
    if os.getuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    subprocess.run(
        as_other("postgres", [f"{binaries}/initdb", "-D", str(data), "-U", "tars", "-A", "trust", "-E", "UTF8", "-N"]),
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-c", "fsync=off"]
    server = Server(
        as_other("postgres", [f"{binaries}/postgres", "-D", str(data), *options]),
        folder / "postgres.log",
        lambda: accepts(f"host=127.0.0.1 port={port} user=tars dbname=postgres"),
    )
    server.environment["PGPORT"] = str(port)
    server.stop_signal = signal.SIGINT  # as its container is stopped: it does not wait for its clients to go
    server.start()
    return server


def start_redis(folder: Path) -> Server:
    """Start a Redis server that keeps nothing on disk."""
    assert shutil.which("redis-server"), "Redis is missing: apt-get install redis-server"
    port, secret = free_port(), folder / "redis.conf"
    secret.write_text(f"requirepass {REDIS_PASSWORD}\n")
    command = ["redis-server", str(secret), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = Server(
        [*command, "--dir", str(folder)],
        folder / "redis.log",
        lambda: redis.Redis(port=port, password=REDIS_PASSWORD).ping(),
        {"REDIS_PORT": str(port)},
    )
    server.start()
    return server


def start_chroma(folder: Path) -> Server:
    """A Chroma server whose data and log are in the folder."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("chroma")
    server = Server(
        [str(program), "run", "--path", str(folder / "chroma"), "--host", "127.0.0.1", "--port", str(port)],
        folder / "chroma.log",
        lambda: get_ok(f"{url}/api/v2/heartbeat"),
        {"CHROMA_URL": url},
    )
    server.start()
    return server


def start_model_server(folder: Path, library: Path, models: Sequence[str]) -> Server:
    """Start the lab's model server with these models, whose bytes are in the folder; `library` has its package."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = Server(
        [sys.executable, "-m", "tars_lab.model_server", "serve"],
        folder / "model_server.log",
        lambda: get_ok(f"{url}/api/version"),
        {
            "OLLAMA_HOST": f"127.0.0.1:{port}",
            "OLLAMA_MODELS": str(folder / "models"),
            "OLLAMA_URL": url,
            "PYTHONPATH": str(library),
        },
    )
    server.start()
    client = ollama.Client(url, trust_env=False)
    for model in models:
        client.pull(model)
    return server
