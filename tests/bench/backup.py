# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure backups of a database with many passages and vectors: time, growth of the repository, memory.

    .venv/bin/python -m tests.bench.backup [--passages 100000] > backup.json

Starts PostgreSQL, Redis and Chroma on loopback, fills the application's own schema, and prints one JSON object. It
needs root, and about 2 GiB of disk space for temporary files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from tars_backup import contract
from tars_backup.components.postgres import load
from tars_lab import restic

from ..integration.backup.local_services import LocalServices
from ..integration.backup.repository.desktop import CONTRACT, Desktop
from ..integration.servers import REDIS_PASSWORD, start_chroma, start_postgres, start_redis

_PASSAGES_OF_A_DOCUMENT = 50
_WORDS_OF_A_PASSAGE = 150
_VECTOR_BYTES = 768
_ROOT = Path(__file__).parents[2]


class Household:
    """Servers, and a database that grows by documents with random words and vectors."""

    def __init__(self, folder: Path) -> None:
        """Start the servers; their data is below `folder`."""
        self.servers = [start_postgres(folder), start_redis(folder), start_chroma(folder)]
        self.port = int(self.servers[0].environment["PGPORT"])
        self.password = folder / "password"
        self.password.write_text(REDIS_PASSWORD)
        self.random = random.Random(1)
        self.words = ["".join(self.random.choices("etaoinshrdlu", k=self.random.randint(2, 11))) for _ in range(20_000)]
        self.create("tars")
        self.migrate("tars")
        self.execute("INSERT INTO sources (name, root, available) VALUES ('docs', '/documents/docs', true)")

    def create(self, name: str) -> None:
        """Create an empty database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def migrate(self, name: str) -> None:
        """Create the application's schema in a database."""
        # The virtual environment has no path to the application, which is not a part of the library.
        sys.path.insert(0, str(_ROOT / "app"))
        from tars_app.adapters import postgres as application
        from tars_app.settings import Settings

        application.migrate(
            Settings(
                postgres_host="127.0.0.1",
                postgres_port=self.port,
                postgres_db=name,
                postgres_user="tars",
                chat_model="chat",
                embedding_model="all-minilm",
            )
        )

    def url(self, database: str = "tars") -> str:
        """Return the connection string of a database."""
        return f"host=127.0.0.1 port={self.port} user=tars dbname={database}"

    def execute(self, statement: str) -> None:
        """Run a statement."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def contract(self, database: str = "tars") -> dict[str, Any]:
        """Return the contract of the services."""
        password = str(self.password)
        database_facts = {"service": "postgres", "name": database, "user": "tars", "port": self.port}
        services = {
            name: {
                "container": f"tars-{name}-1",
                "image": name,
                "user": 1,
                "volumes": [{"source": str(self.password.parent / "data" / name), "target": "/data"}],
            }
            for name in ("postgres", "redis", "chroma", "ollama")
        }
        return {
            **CONTRACT,
            "database": {**database_facts, "password_file": password},
            "queue": {
                "service": "redis",
                "port": int(self.servers[1].environment["REDIS_PORT"]),
                "password_file": password,
            },
            "vectors": {
                "service": "chroma",
                "port": int(self.servers[2].environment["CHROMA_URL"].rsplit(":", 1)[1]),
            },
            "models": {"service": "ollama"},
            "services": services,
        }

    def add(self, passages: int) -> None:
        """Add documents with new passages and vectors."""
        with psycopg.connect(self.url()) as connection, connection.cursor() as cursor:
            rows = list(self._documents(passages // _PASSAGES_OF_A_DOCUMENT))
            for table, number in (
                ("documents (id, source, path, size, mtime_ns)", 0),
                ("versions (id, document_id, sha256, size, modified, state)", 1),
                ("passages (hash, text, language, searchable)", 2),
                ("vectors (hash, model, embedding)", 3),
                ("version_texts (version_id, hashes, pages, before, after)", 4),
                ("document_passages (document_id, hash)", 5),
                ("document_paths (document_id, path)", 6),
            ):
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in (row for document in rows for row in document[number]):
                        copy.write_row(row)
        self.execute("ANALYZE")

    def read_again(self, count: int) -> None:
        """Give documents a new version, half of whose passages are new."""
        with psycopg.connect(self.url()) as connection:
            documents = connection.execute(
                "SELECT document_id, version_id, hashes FROM version_texts JOIN versions ON versions.id = version_id"
                " WHERE seen_to IS NULL ORDER BY md5(document_id::text) LIMIT %s",
                (count,),
            ).fetchall()
            for document, version, hashes in documents:
                self._new_version(connection, document, version, hashes)

    def _new_version(
        self, connection: psycopg.Connection[Any], document: UUID, version: UUID, hashes: list[bytes]
    ) -> None:
        half = len(hashes) // 2
        texts = [self._text() for _ in range(half)]
        new = [hashlib.sha256(text.encode()).digest() for text in texts]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO passages (hash, text, language, searchable) VALUES (%s, %s, 'english', true)",
                list(zip(new, texts, strict=True)),
            )
            cursor.executemany(
                "INSERT INTO vectors (hash, model, embedding) VALUES (%s, 'all-minilm', %s)",
                [(digest, self.random.randbytes(_VECTOR_BYTES)) for digest in new],
            )
            cursor.executemany("INSERT INTO document_passages VALUES (%s, %s)", [(document, digest) for digest in new])
        connection.execute(
            "DELETE FROM document_passages WHERE document_id = %s AND hash = ANY (%s)", (document, hashes[:half])
        )
        connection.execute("UPDATE passages SET searchable = false WHERE hash = ANY (%s)", (hashes[:half],))
        connection.execute("UPDATE versions SET seen_to = now() WHERE id = %s", (version,))
        connection.execute(
            "WITH version AS (INSERT INTO versions (document_id, sha256, size, modified, state)"
            " VALUES (%s, %s, 50000, now(), 'indexed') RETURNING id),"
            " texts AS (INSERT INTO version_texts SELECT id, %s, array_fill(0, %s), array_fill(''::text, %s),"
            " array_fill(''::text, %s) FROM version)"
            " UPDATE documents SET answered_from = version.id FROM version WHERE documents.id = %s",
            (document, new[0].hex(), [*new, *hashes[half:]], [len(hashes)], [len(hashes)], [len(hashes)], document),
        )

    def _text(self) -> str:
        return " ".join(self.random.choices(self.words, k=_WORDS_OF_A_PASSAGE))

    def _documents(self, count: int) -> Iterator[list[list[tuple[Any, ...]]]]:
        for _ in range(count):
            document, version = (UUID(bytes=self.random.randbytes(16), version=4) for _ in range(2))
            texts = [self._text() for _ in range(_PASSAGES_OF_A_DOCUMENT)]
            hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
            empty = [""] * len(texts)
            yield [
                [(document, "docs", f"{document}.txt", 50_000, 1)],
                [(version, document, hashlib.sha256(document.bytes).hexdigest(), 50_000, "2026-11-01Z", "indexed")],
                [(digest, text, "english", True) for digest, text in zip(hashes, texts, strict=True)],
                [(digest, "all-minilm", self.random.randbytes(_VECTOR_BYTES)) for digest in hashes],
                [(version, hashes, [0] * len(texts), empty, empty)],
                [(document, digest) for digest in hashes],
                [(document, f"{document}.txt")],
            ]

    def stop(self) -> None:
        """Stop the servers."""
        for server in self.servers:
            server.stop()


def backup(desktop: Desktop) -> dict[str, Any]:
    """Make a backup in a process of its own; return its time, memory and the growth of the repository."""
    path = os.pathsep.join(str(_ROOT / name) for name in ("library", "app", "collections", "."))
    before = size(desktop.repository)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.backup_step", str(desktop.file)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, "growth": size(desktop.repository) - before}


def size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def restic_alone(desktop: Desktop, folder: Path) -> float:
    """Return the seconds that restic takes for the staged files, into a new repository."""
    words = [desktop.settings["restic"], "--repo", folder / "alone", "--password-file", folder / "desktop/key"]
    words += ["--cache-dir", folder / "alone-cache"]
    subprocess.run([*words, "init"], check=True, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    subprocess.run([*words, "backup", "."], cwd=desktop.configuration.staging, check=True, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - began, 2)


def loading(household: Household, desktop: Desktop) -> float:
    """Return the seconds for loading the staged database into an empty one, and comparing every row."""
    household.create("restored")
    database = contract.load(desktop.configuration.contract).database
    began = time.monotonic()
    folder = desktop.configuration.staging / "postgres"
    load(LocalServices(), {**database, "name": "restored"}, folder, deadline_s=3600)
    return round(time.monotonic() - began, 2)


def measure(folder: Path, passages: int) -> dict[str, Any]:
    """Return all measurements; everything is below `folder`."""
    household = Household(folder)
    try:
        household.add(passages)
        desktop = Desktop(folder / "desktop", restic.binary())
        (desktop.folder / "contract.json").write_text(json.dumps(household.contract()))
        opt = folder / "opt"
        opt.mkdir()
        (opt / "compose.yaml").write_text("services: {}\n")
        desktop.write_settings(configuration=[str(opt)])
        desktop.init()
        one_percent = passages // 100
        results: dict[str, Any] = {"passages": passages, "first": backup(desktop)}
        results["restic_alone_s"] = restic_alone(desktop, folder)
        results["unchanged"] = backup(desktop)
        household.execute("INSERT INTO volatile.scans (source) VALUES ('docs')")
        results["heartbeats"] = backup(desktop)
        household.add(one_percent)
        results["one_percent_appended"] = backup(desktop)
        household.read_again(one_percent // _PASSAGES_OF_A_DOCUMENT)
        results["one_percent_of_documents_read_again"] = backup(desktop)
        results["load_s"] = loading(household, desktop)
        return results
    finally:
        household.stop()


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.backup", description="Measure backups of a database with many passages and vectors."
    )
    parser.add_argument("--passages", type=int, default=100_000, help="default: %(default)s")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tars-bench-"))
    folder.chmod(0o755)
    try:
        print(json.dumps(measure(folder, options.passages), indent=1))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
