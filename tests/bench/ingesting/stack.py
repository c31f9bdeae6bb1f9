# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's worker with everything around it, as it runs on the desktop."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ...integration.servers import (
    REDIS_PASSWORD,
    Server,
    start_chroma,
    start_model_server,
    start_postgres,
    start_redis,
    wait_for,
)

ROOT = Path(__file__).parents[3]
MODEL = "all-minilm"
THREADS, BATCH = 2, 32
WAIT_S = 3600
OLD_S = 1_700_000_000
_STATE = """
SELECT count(*), count(*) FILTER (WHERE state = 'indexed'), max(error) FILTER (WHERE state = 'failed') FROM versions
"""


@dataclass(frozen=True)
class Stack:
    """Servers that run, and what the worker needs to know of them."""

    workspace: Path
    settings: dict[str, str]

    @property
    def share(self) -> Path:
        """The folder that stands for the mounted share."""
        return self.workspace / "documents/LLM_docs"

    def write(self, name: str, content: bytes) -> None:
        """Write a file to the share that nobody has changed for long."""
        (self.share / name).write_bytes(content)
        os.utime(self.share / name, (OLD_S, OLD_S))

    def connect(self) -> psycopg.Connection:
        """Return a connection to the application's database."""
        port = self.settings["TARS_POSTGRES_PORT"]
        return psycopg.connect(f"host=127.0.0.1 port={port} user=tars dbname=tars", autocommit=True)

    @contextmanager
    def worker(self) -> Iterator[Server]:
        """Yield the running worker, once it has recorded the first document."""
        command, log = [sys.executable, "-m", "tars_app", "worker"], self.workspace / "worker.log"
        worker = Server(command, log, self.heartbeat.exists, self.settings)
        worker.start()
        try:
            with self.connect() as connection:

                def started() -> bool:
                    exists = connection.execute("SELECT to_regclass('versions')").fetchone()
                    return bool(
                        exists and exists[0] and connection.execute("SELECT 1 FROM versions LIMIT 1").fetchone()
                    )

                wait_for(started, "the first document to be recorded")
            yield worker
        finally:
            worker.stop()

    @property
    def heartbeat(self) -> Path:
        """The file that the worker touches whenever it fills its queue."""
        return self.workspace / "heartbeat"

    def wait_until_read(self, files: int) -> tuple[float, float, float]:
        """Wait until all files are indexed.

        Returns the seconds until all were found, those until all were indexed, and the longest pause in seconds between
        two moments at which the scan put documents into the queue, while it found files.
        """
        began, beat, longest, found_s = time.monotonic(), time.time(), 0.0, None
        with self.connect() as connection:
            while time.monotonic() - began < WAIT_S:
                [(recorded, indexed, error)] = connection.execute(_STATE).fetchall()
                if error:
                    raise ValueError(f"a file was not read: {error}")
                if found_s is None:
                    touched = self.heartbeat.stat().st_mtime
                    longest, beat = max(longest, touched - beat), touched
                    found_s = time.monotonic() - began if recorded == files else None
                if indexed == files and found_s is not None:
                    return found_s, time.monotonic() - began, longest
                time.sleep(0.1)
        raise TimeoutError(f"{indexed} of {files} files indexed after {WAIT_S} s; see {self.workspace}/worker.log")


@contextmanager
def stack(embedder: str | None = None) -> Iterator[Stack]:
    """Start PostgreSQL, Redis, Chroma and the lab's model server on loopback; yield them with an empty share.

    `embedder` is the address of a model server to use instead.
    """
    workspace = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    workspace.chmod(0o755)
    (workspace / "documents/LLM_docs").mkdir(parents=True)
    (workspace / "secrets").mkdir()
    (workspace / "secrets/tars_redis_password").write_text(REDIS_PASSWORD)
    servers: dict[str, Server] = {}
    try:
        servers["postgres"] = start_postgres(workspace)
        servers["redis"] = start_redis(workspace)
        servers["chroma"] = start_chroma(workspace)
        if embedder is None:
            servers["model"] = start_model_server(workspace, ROOT / "library", (MODEL,))
            embedder = servers["model"].environment["OLLAMA_URL"]
        port = servers["postgres"].environment["PGPORT"]
        with psycopg.connect(f"host=127.0.0.1 port={port} user=tars dbname=postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE tars")
        settings = {
            "PYTHONPATH": str(ROOT / "app"),
            "TARS_SECRETS_DIR": str(workspace / "secrets"),
            "TARS_POSTGRES_HOST": "127.0.0.1",
            "TARS_POSTGRES_PORT": port,
            "TARS_REDIS_HOST": "127.0.0.1",
            "TARS_REDIS_PORT": servers["redis"].environment["REDIS_PORT"],
            "TARS_CHROMA_URL": servers["chroma"].environment["CHROMA_URL"],
            "TARS_OLLAMA_URL": embedder,
            "TARS_CHAT_MODEL": MODEL,
            "TARS_EMBEDDING_MODEL": MODEL,
            "TARS_DOCUMENTS": str(workspace / "documents"),
            "TARS_REQUIRE_MOUNT": "false",
            "TARS_HEARTBEAT": str(workspace / "heartbeat"),
            "TARS_WORKER_THREADS": str(THREADS),
        }
        yield Stack(workspace, settings)
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(workspace)
