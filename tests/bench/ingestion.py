# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure which part of the time that reading documents takes is the embedding model's own.

    PYTHONPATH=app .venv/bin/python -m tests.bench.ingestion [--passages 1500] [--text FOLDER] > ingestion.json

Starts PostgreSQL, Redis, Chroma and the lab's model server on loopback, and the application's worker, as it runs on the
desktop. It writes text files of different lengths to its share, waits until they are indexed, then sends the same
passages to the model alone, in the same batches from the same number of threads, and prints one JSON object. It needs
root, and takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ollama
import psycopg

from ..integration.servers import (
    REDIS_PASSWORD,
    Server,
    start_chroma,
    start_model_server,
    start_postgres,
    start_redis,
    wait_for,
)
from .search import texts

ROOT = Path(__file__).parents[2]
MODEL = "all-minilm"
THREADS, BATCH = 2, 32
PASSAGES_OF_A_FILE = (1, 3, 10, 40)
TARGET = 0.85
"""Share of the embedding model: at least."""
WAIT_S = 3600


def write(share: Path, passages: Sequence[str]) -> int:
    """Write the passages to files of different lengths; return how many there are."""
    number = start = 0
    while start < len(passages):
        size = PASSAGES_OF_A_FILE[number % len(PASSAGES_OF_A_FILE)]
        (share / f"{number}.txt").write_text("\n\n".join(passages[start : start + size]))
        os.utime(share / f"{number}.txt", (1_700_000_000, 1_700_000_000))
        number, start = number + 1, start + size
    return number


def environment(workspace: Path, servers: dict[str, Server]) -> dict[str, str]:
    """Return the settings of the worker."""
    secrets = workspace / "secrets"
    secrets.mkdir()
    (secrets / "tars_redis_password").write_text(REDIS_PASSWORD)
    return {
        "PYTHONPATH": str(ROOT / "app"),
        "TARS_SECRETS_DIR": str(secrets),
        "TARS_POSTGRES_HOST": "127.0.0.1",
        "TARS_POSTGRES_PORT": servers["postgres"].environment["PGPORT"],
        "TARS_REDIS_HOST": "127.0.0.1",
        "TARS_REDIS_PORT": servers["redis"].environment["REDIS_PORT"],
        "TARS_CHROMA_URL": servers["chroma"].environment["CHROMA_URL"],
        "TARS_OLLAMA_URL": servers["model"].environment["OLLAMA_URL"],
        "TARS_CHAT_MODEL": MODEL,
        "TARS_EMBEDDING_MODEL": MODEL,
        "TARS_DOCUMENTS": str(workspace / "documents"),
        "TARS_REQUIRE_MOUNT": "false",
        "TARS_HEARTBEAT": str(workspace / "heartbeat"),
        "TARS_WORKER_THREADS": str(THREADS),
    }


def read_all(workspace: Path, servers: dict[str, Server], files: int) -> tuple[float, list[list[str]]]:
    """Run the worker until all files are indexed; return the seconds, and the passages of each in batches."""
    settings = environment(workspace, servers)
    database = f"host=127.0.0.1 port={settings['TARS_POSTGRES_PORT']} user=tars dbname=tars"
    heartbeat = workspace / "heartbeat"
    worker = Server([sys.executable, "-m", "tars_app", "worker"], workspace / "worker.log", heartbeat.exists, settings)
    worker.start()
    try:
        with psycopg.connect(database, autocommit=True) as connection:

            def started() -> bool:
                exists = connection.execute("SELECT to_regclass('versions')").fetchone()
                return bool(exists and exists[0] and connection.execute("SELECT 1 FROM versions LIMIT 1").fetchone())

            wait_for(started, "the first document to be recorded")
            began = time.monotonic()
            indexed = "SELECT count(*) FROM versions WHERE state = 'indexed'"
            wait_for(lambda: connection.execute(indexed).fetchone() == (files,), "all documents", WAIT_S)
            took = time.monotonic() - began
            rows = connection.execute(
                """SELECT array_agg(p.text ORDER BY u.ordinal) FROM version_texts t
                   CROSS JOIN LATERAL unnest(t.hashes) WITH ORDINALITY AS u (hash, ordinal)
                   JOIN passages p ON p.hash = u.hash GROUP BY t.version_id"""
            ).fetchall()
    finally:
        worker.stop()
    return took, [row[0][start : start + BATCH] for row in rows for start in range(0, len(row[0]), BATCH)]


def embed_all(url: str, batches: Sequence[Sequence[str]]) -> float:
    """Send all batches to the model; return the seconds."""
    client = ollama.Client(url, trust_env=False)
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda batch: client.embed(model=MODEL, input=list(batch)), batches))
    return time.monotonic() - began


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.ingestion", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--passages", type=int, default=1500)
    parser.add_argument("--text", type=Path, default=Path(sysconfig.get_path("purelib")), help="folder of text files")
    arguments = parser.parse_args()
    passages = [text for text, _ in zip(texts(arguments.text), range(arguments.passages), strict=False)]
    workspace = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    workspace.chmod(0o755)
    share = workspace / "documents/LLM_docs"
    share.mkdir(parents=True)
    servers: dict[str, Server] = {}
    try:
        servers["postgres"] = start_postgres(workspace)
        servers["redis"] = start_redis(workspace)
        servers["chroma"] = start_chroma(workspace)
        servers["model"] = start_model_server(workspace, ROOT / "library", (MODEL,))
        port = servers["postgres"].environment["PGPORT"]
        with psycopg.connect(f"host=127.0.0.1 port={port} user=tars dbname=postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE tars")
        files = write(share, passages)
        url = servers["model"].environment["OLLAMA_URL"]
        embed_all(url, [passages[:BATCH]])  # it is loaded
        took, batches = read_all(workspace, servers, files)
        bare = embed_all(url, batches)
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(workspace)
    print(
        json.dumps(
            {
                "files": files,
                "passages": sum(map(len, batches)),
                "ingestion, s": round(took, 1),
                "embedding model alone, s": round(bare, 1),
                "share of the embedding model": round(bare / took, 3),
                "target": TARGET,
                "machine": {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
