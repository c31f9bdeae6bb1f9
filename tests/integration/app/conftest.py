# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's real neighbours, each started on loopback with data of its own and ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import ollama
import psycopg
import pytest
import redis

START_S = 90
CHAT_MODEL, EMBEDDING_MODEL = "smollm2:135m", "all-minilm"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = START_S) -> Any:
    """The first true value of `condition`; fails with its last error."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (OSError, httpx.HTTPError, psycopg.Error, redis.RedisError, AssertionError) as error:
            last = error
        time.sleep(0.2)
    pytest.fail(f"waited {seconds} s for {what}; last: {last!r}")


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
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=os.environ | self.environment, start_new_session=True
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
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

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


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    """A folder that servers under other accounts can reach too."""
    folder = Path(tempfile.mkdtemp(prefix="tars-app-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as_other(user: str, command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return (
        ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command] if os.getuid() == 0 else command
    )


@pytest.fixture(scope="session")
def postgres(workspace: Path) -> Iterator[Server]:
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: float(path.parent.name))
    assert binaries, "PostgreSQL's server is missing: apt-get install postgresql"
    data, port = workspace / "postgres", free_port()
    data.mkdir()
    if os.getuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    subprocess.run(
        _as_other("postgres", [f"{binaries}/initdb", "-D", str(data), "-U", "tars", "-A", "trust", "-E", "UTF8", "-N"]),
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-c", "fsync=off"]
    server = Server(
        _as_other("postgres", [f"{binaries}/postgres", "-D", str(data), *options]),
        workspace / "postgres.log",
        lambda: accepts(f"host=127.0.0.1 port={port} user=tars dbname=postgres"),
    )
    server.environment["PGPORT"] = str(port)
    server.stop_signal = signal.SIGINT  # as its container is stopped: it does not wait for its clients to go
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(workspace: Path) -> Iterator[Server]:
    assert shutil.which("redis-server"), "Redis is missing: apt-get install redis-server"
    port, secret = free_port(), workspace / "redis.conf"
    secret.write_text("requirepass test-secret\n")
    command = [
        "redis-server",
        str(secret),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(workspace),
    ]
    server = Server(
        command,
        workspace / "redis.log",
        lambda: redis.Redis(port=port, password="test-secret").ping(),
        {"REDIS_PORT": str(port)},
    )
    server.start()
    yield server
    server.stop()


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


@pytest.fixture(scope="session")
def chroma(workspace: Path) -> Iterator[Server]:
    server = start_chroma(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def model_server(workspace: Path, root: Path) -> Iterator[Server]:
    """The lab's model server with its two models."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = Server(
        [sys.executable, "-m", "tars_lab.model_server", "serve"],
        workspace / "model_server.log",
        lambda: get_ok(f"{url}/api/version"),
        {
            "OLLAMA_HOST": f"127.0.0.1:{port}",
            "OLLAMA_MODELS": str(workspace / "models"),
            "OLLAMA_URL": url,
            "PYTHONPATH": str(root / "library"),
        },
    )
    server.start()
    client = ollama.Client(url, trust_env=False)
    for model in (CHAT_MODEL, EMBEDDING_MODEL):
        client.pull(model)
    yield server
    server.stop()


@dataclass
class Stack:
    """The application with everything around it, and the folder that stands for the mounted shares."""

    url: str
    documents: Path
    database: str
    chroma_url: str
    settings: dict[str, str]
    serve: Server
    worker: Server
    postgres: Server
    redis: Server
    chroma: Server
    model_server: Server

    @property
    def share(self) -> Path:
        return self.documents / "LLM_docs"

    def get(self, path: str, **query: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=query, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="session")
def stack(
    workspace: Path, root: Path, postgres: Server, redis_server: Server, chroma: Server, model_server: Server
) -> Iterator[Stack]:
    documents, secrets, port = workspace / "documents", workspace / "secrets", free_port()
    (documents / "LLM_docs").mkdir(parents=True)
    secrets.mkdir()
    (secrets / "tars_redis_password").write_text("test-secret\n")
    (secrets / "tars_postgres_password").write_text("not-asked-for")
    pgport = postgres.environment["PGPORT"]
    with psycopg.connect(f"host=127.0.0.1 port={pgport} user=tars dbname=postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE tars")
    settings = {
        "PYTHONPATH": str(root / "app"),
        "TARS_SECRETS_DIR": str(secrets),
        "TARS_POSTGRES_HOST": "127.0.0.1",
        "TARS_POSTGRES_PORT": pgport,
        "TARS_REDIS_HOST": "127.0.0.1",
        "TARS_REDIS_PORT": redis_server.environment["REDIS_PORT"],
        "TARS_CHROMA_URL": chroma.environment["CHROMA_URL"],
        "TARS_OLLAMA_URL": model_server.environment["OLLAMA_URL"],
        "TARS_CHAT_MODEL": CHAT_MODEL,
        "TARS_EMBEDDING_MODEL": EMBEDDING_MODEL,
        "TARS_CONTEXT_TOKENS": "2048",
        "TARS_ANSWER_TOKENS": "60",
        "TARS_DOCUMENTS": str(documents),
        "TARS_REQUIRE_MOUNT": "false",
        "TARS_SCAN_INTERVAL_S": "0.5",
        "TARS_SETTLE_S": "0.5",
        "TARS_MAX_FILE_BYTES": "1000000",
        "TARS_HEARTBEAT": str(workspace / "heartbeat"),
        "TARS_HOST": "127.0.0.1",
        "TARS_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tars_app"]
    serve = Server([*command, "serve"], workspace / "serve.log", lambda: get_ok(f"{url}/health"), settings)
    heartbeat = workspace / "heartbeat"
    worker = Server([*command, "worker"], workspace / "worker.log", heartbeat.exists, settings)
    serve.start()
    worker.start()
    # The worker makes the schema after its first heartbeat; until then the application answers 503.
    wait_for(lambda: get_ok(f"{url}/api/documents"), "the worker to have made the schema")
    database = f"host=127.0.0.1 port={pgport} user=tars dbname=tars"
    chroma_url = chroma.environment["CHROMA_URL"]
    yield Stack(
        url, documents, database, chroma_url, settings, serve, worker, postgres, redis_server, chroma, model_server
    )
    worker.stop()
    serve.stop()
