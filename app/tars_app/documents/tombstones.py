# SPDX-License-Identifier: GPL-3.0-or-later
"""The digests that stay of forgotten documents, so that the same content is not read again.

A digest has no text and no name. It can only confirm a guess of the whole content, or of a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from tars_app.adapters.mounts import FileStatus
from tars_app.adapters.postgres import FORGET_LOCK, Pool

Skipped = dict[bytes, tuple[int, int]]
"""Size in bytes and modification time in ns of files that are not read, by the digest of their place."""


@dataclass(frozen=True)
class Forgotten:
    """What is on record of all forgotten documents: the number of the last one, and when each digest was forgotten."""

    number: int = 0
    digests: dict[bytes, datetime] = field(default_factory=dict)

    def covers(self, source: str, path: str, sha256: str | None, at: datetime) -> bool:
        """Return whether a file of the past belonged to a forgotten document: by its content, or by a path before."""
        forgotten_at = self.digests.get(place_of(source, path))
        return digest_of(source, path, sha256) in self.digests or (forgotten_at is not None and at < forgotten_at)


def load_forgotten(connection: Connection[dict[str, Any]]) -> Forgotten:
    """Return what is on record of all forgotten documents."""
    rows = connection.execute(
        """SELECT c.digest, max(f.forgotten_at) AS at
           FROM forgotten_contents c JOIN forgotten f ON f.id = c.forgotten_id GROUP BY c.digest"""
    ).fetchall()
    return Forgotten(last_number(connection), {row["digest"]: row["at"] for row in rows})


def last_number(connection: Connection[dict[str, Any]]) -> int:
    """Return the number of the document that was forgotten last, 0 for none."""
    [row] = connection.execute("SELECT coalesce(max(number), 0) AS number FROM forgotten").fetchall()
    return int(row["number"])


def digest_of(source: str, path: str, sha256: str | None) -> bytes:
    """Return the digest of a content, or of the place of a file that cannot be read (`sha256` None)."""
    return hashlib.sha256(f"content\0{sha256}".encode()).digest() if sha256 else place_of(source, path)


def place_of(source: str, path: str) -> bytes:
    """Return the digest of a path in a source."""
    return hashlib.sha256(f"place\0{source}\0{path}".encode()).digest()


def hold_off(connection: Connection[dict[str, Any]]) -> None:
    """Let no document be forgotten until the transaction ends. Call it first, so that no two wait for each other.

    Without it, a passage could be removed that a document which is being stored also contains.
    """
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (FORGET_LOCK,))


def is_forgotten(connection: Connection[dict[str, Any]], digest: bytes) -> bool:
    """Return whether a content was forgotten."""
    row = connection.execute("SELECT FROM forgotten_contents WHERE digest = %s LIMIT 1", (digest,)).fetchone()
    return row is not None


def add_tombstone(connection: Connection[dict[str, Any]], digests: Iterable[bytes], versions: int) -> dict[str, Any]:
    """Record a forgotten document by the digests of its contents; return the row."""
    [row] = connection.execute(
        "INSERT INTO forgotten (versions) VALUES (%s) RETURNING id, forgotten_at, versions, erased_at", (versions,)
    ).fetchall()
    connection.execute(
        "INSERT INTO forgotten_contents (digest, forgotten_id) SELECT DISTINCT unnest(%s::bytea[]), %s::uuid",
        (list(digests), row["id"]),
    )
    return row


def remove_tombstone(pool: Pool, forgotten_id: UUID) -> bool:
    """Remove the digests of a forgotten document, so that its files are read again; return whether there was one."""
    with pool.connection() as connection:
        connection.execute("DELETE FROM volatile.skipped_files")
        return bool(connection.execute("DELETE FROM forgotten WHERE id = %s RETURNING id", (forgotten_id,)).fetchone())


def skipped_files(pool: Pool) -> Skipped:
    """Return the files that were not read because their content was forgotten."""
    with pool.connection() as connection:
        rows = connection.execute("SELECT place, size, mtime_ns FROM volatile.skipped_files").fetchall()
    return {row["place"]: (row["size"], int(row["mtime_ns"])) for row in rows}


def note_skipped(connection: Connection[dict[str, Any]], place: bytes, file: FileStatus) -> None:
    """Record that a file has a forgotten content, so that it is not read again while its size and time stay."""
    connection.execute(
        """INSERT INTO volatile.skipped_files (place, size, mtime_ns) VALUES (%s, %s, %s)
           ON CONFLICT (place) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns""",
        (place, file.size, file.mtime_ns),
    )
