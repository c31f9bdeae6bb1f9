# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's real neighbours, each started on loopback with data of its own and ended by its process id."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ..servers import Server, free_port, get_ok, start_chroma, start_model_server, start_postgres, start_redis, wait_for
from .databases import EMBEDDING_MODEL
from .past import Store, open_store

__all__ = ["EMBEDDING_MODEL", "Server", "free_port", "get_ok", "start_chroma", "wait_for"]

CHAT_MODEL = "smollm2:135m"


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    """A folder that servers under other accounts can reach too."""
    folder = Path(tempfile.mkdtemp(prefix="tars-app-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(workspace: Path) -> Iterator[Server]:
    server = start_postgres(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def database(postgres: Server) -> Iterator[Store]:
    """A migrated database of its own for the tests of a file."""
    with open_store(postgres) as store:
        yield store


@pytest.fixture
def store(database: Store) -> Store:
    """That database, empty."""
    database.clear()
    return database


@pytest.fixture(scope="session")
def redis_server(workspace: Path) -> Iterator[Server]:
    server = start_redis(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chroma(workspace: Path) -> Iterator[Server]:
    server = start_chroma(workspace)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own_chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Chroma for the tests of one file, which may leave collections in it."""
    server = start_chroma(tmp_path_factory.mktemp("chroma"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def model_server(workspace: Path, root: Path) -> Iterator[Server]:
    """The lab's model server with its two models."""
    server = start_model_server(workspace, root / "library", (CHAT_MODEL, EMBEDDING_MODEL))
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
def running_stack(
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


@pytest.fixture(scope="module")
def stack(running_stack: Stack) -> Iterator[Stack]:
    """That application, with nothing on its shares when the tests of a file begin."""
    yield running_stack
    for share in running_stack.documents.iterdir():
        for entry in share.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    living = "SELECT path FROM documents WHERE deleted_at IS NULL LIMIT 1"
    wait_for(lambda: running_stack.sql(living) == [], "the deletion of all documents")


@pytest.fixture
def faulty(stack: Stack, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A share on which chosen calls fail: its source, and the file whose presence makes all calls fail."""
    source, dead, mount_point = tmp_path / "source", tmp_path / "dead", stack.documents / "Faulty"
    source.mkdir()
    mount_point.mkdir(exist_ok=True)
    program = [sys.executable, str(Path(__file__).with_name("faulty_share.py"))]
    server = Server([*program, str(source), str(mount_point), str(dead)], tmp_path / "log", mount_point.is_mount)
    server.start()
    yield source, dead
    dead.unlink(missing_ok=True)
    for file in source.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    wait_for(
        lambda: stack.sql("SELECT 1 FROM documents WHERE source = 'Faulty' AND deleted_at IS NULL") == [],
        "the deletion",
    )
    subprocess.run(["umount", "--lazy", mount_point], check=True)
    server.stop()
