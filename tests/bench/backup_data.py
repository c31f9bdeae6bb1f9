# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of random words with vectors, in the application's own schema, for tests.bench.backup."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from .backup_desktop import ROOT

PASSAGES_OF_A_DOCUMENT = 50
MODEL = "all-minilm"

_FILE_BYTES = 50_000
_WORDS_OF_A_PASSAGE = 150
_NUMBERS_OF_A_VECTOR = 384
_COLUMNS = (
    "documents (id, source, path, size, mtime_ns)",
    "versions (id, document_id, sha256, size, modified, state)",
    "passages (hash, text, language, language_detected, searchable)",
    "vectors (hash, model, embedding)",
    "version_texts (version_id, hashes, pages, before, after, labels)",
    "document_passages (document_id, hash)",
    "document_paths (document_id, path)",
)


class Documents:
    """A database that grows by documents, whose files are on the share with the recorded size and time."""

    def __init__(self, url: str, share: Path) -> None:
        """Fill the database of a connection string, and the folder of a share."""
        self.url, self.share = url, share
        self.random = random.Random(1)
        self.words = ["".join(self.random.choices("etaoinshrdlu", k=self.random.randint(2, 11))) for _ in range(20_000)]
        deviation = _NUMBERS_OF_A_VECTOR**-0.5  # a vector of such numbers has about the length 1
        self.numbers = [struct.pack("<e", self.random.gauss(0, deviation)) for _ in range(65_536)]

    def create(self, port: int) -> None:
        """Create the application's schema, and the share."""
        # The virtual environment has no path to the application, which is not a part of the library.
        sys.path.insert(0, str(ROOT / "app"))
        from tars_app.adapters import postgres as application
        from tars_app.settings import Settings

        application.migrate(
            Settings(
                postgres_host="127.0.0.1",
                postgres_port=port,
                postgres_db="tars",
                postgres_user="tars",
                chat_model="chat",
                embedding_model=MODEL,
            )
        )
        self.execute("INSERT INTO sources (name, root, available) VALUES ('docs', %s, true)", str(self.share))

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def add(self, passages: int) -> None:
        """Add documents with new passages and vectors."""
        rows = list(self._documents(passages // PASSAGES_OF_A_DOCUMENT))
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for number, columns in enumerate(_COLUMNS):
                with cursor.copy(f"COPY {columns} FROM STDIN") as copy:
                    for row in (row for document in rows for row in document[number]):
                        copy.write_row(row)
            cursor.execute(
                "UPDATE documents SET answered_from = versions.id FROM versions"
                " WHERE document_id = documents.id AND answered_from IS NULL"
            )
        self.execute("ANALYZE")

    def read_again(self, count: int) -> None:
        """Give documents a new version, half of whose passages are new."""
        with psycopg.connect(self.url) as connection:
            documents = connection.execute(
                "SELECT document_id, version_id, hashes FROM version_texts JOIN versions ON versions.id = version_id"
                " WHERE seen_to IS NULL ORDER BY md5(document_id::text) LIMIT %s",
                (count,),
            ).fetchall()
            for document, version, hashes in documents:
                self._new_version(connection, document, version, hashes)

    def questions(self, count: int) -> list[str]:
        """Return questions of words that are each in about a hundredth of the passages, or fewer."""
        words = [word for word in self.words if len(word) > 5]
        return [" ".join(self.random.choices(words, k=6)) for _ in range(count)]

    def _new_version(
        self, connection: psycopg.Connection[Any], document: UUID, version: UUID, hashes: list[bytes]
    ) -> None:
        half = len(hashes) // 2
        texts = [self._text() for _ in range(half)]
        new = [hashlib.sha256(text.encode()).digest() for text in texts]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO passages (hash, text, language, language_detected, searchable)"
                " VALUES (%s, %s, 'simple', true, true)",
                list(zip(new, texts, strict=True)),
            )
            cursor.executemany(
                "INSERT INTO vectors (hash, model, embedding) VALUES (%s, %s, %s)",
                [(digest, MODEL, self._vector()) for digest in new],
            )
            cursor.executemany("INSERT INTO document_passages VALUES (%s, %s)", [(document, digest) for digest in new])
        connection.execute(
            "DELETE FROM document_passages WHERE document_id = %s AND hash = ANY (%s)", (document, hashes[:half])
        )
        connection.execute("UPDATE passages SET searchable = false WHERE hash = ANY (%s)", (hashes[:half],))
        connection.execute("UPDATE versions SET seen_to = now() WHERE id = %s", (version,))
        connection.execute(
            "WITH version AS (INSERT INTO versions (document_id, sha256, size, modified, state)"
            " VALUES (%s, %s, %s, now(), 'indexed') RETURNING id),"
            " texts AS (INSERT INTO version_texts SELECT id, %s, array_fill(0, %s), array_fill(''::text, %s),"
            " array_fill(''::text, %s), array_fill(''::text, %s) FROM version)"
            " UPDATE documents SET answered_from = version.id FROM version WHERE documents.id = %s",
            (
                document,
                new[0].hex(),
                _FILE_BYTES,
                [*new, *hashes[half:]],
                *[[len(hashes)]] * 4,
                document,
            ),
        )

    def _text(self) -> str:
        return " ".join(self.random.choices(self.words, k=_WORDS_OF_A_PASSAGE))

    def _vector(self) -> bytes:
        return b"".join(self.random.choices(self.numbers, k=_NUMBERS_OF_A_VECTOR))

    def _documents(self, count: int) -> Iterator[list[list[tuple[Any, ...]]]]:
        for _ in range(count):
            document, version = (UUID(bytes=self.random.randbytes(16), version=4) for _ in range(2))
            file = self.share / f"{document}.txt"
            file.touch()
            os.truncate(file, _FILE_BYTES)
            os.utime(file, ns=(1, 1))
            texts = [self._text() for _ in range(PASSAGES_OF_A_DOCUMENT)]
            hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
            empty = [""] * len(texts)
            digest = hashlib.sha256(document.bytes).hexdigest()
            yield [
                [(document, "docs", file.name, _FILE_BYTES, 1)],
                [(version, document, digest, _FILE_BYTES, datetime(2026, 11, 1).astimezone(), "indexed")],
                [(passage, text, "simple", True, True) for passage, text in zip(hashes, texts, strict=True)],
                [(passage, MODEL, self._vector()) for passage in hashes],
                [(version, hashes, [0] * len(texts), empty, empty, empty)],
                [(document, passage) for passage in hashes],
                [(document, file.name)],
            ]
