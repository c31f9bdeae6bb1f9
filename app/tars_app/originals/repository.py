# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of documents on record, and the places on the shares at which their content should be now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from tars_app.adapters.postgres import Pool
from tars_app.documents.parsers.marks import Piece, Rectangle
from tars_app.documents.parsers.recognition.boxes import decode
from tars_app.documents.recorded_paths import place_at
from tars_app.documents.scans import recognized_page
from tars_app.documents.visible import CONFIRMED
from tars_app.snapshots.names import FOLDER

_MOST_PLACES = 5
# A version that was replaced has the last path of its time.
_VERSION = f"""
SELECT v.id AS version_id, d.id AS document_id, place.source, place.path, v.sha256, v.size, v.seen_from, v.seen_to,
       d.deleted_at IS NOT NULL AND d.deleted_at = v.seen_to AS is_deleted
FROM versions v JOIN documents d ON d.id = v.document_id
CROSS JOIN LATERAL {place_at("coalesce(v.seen_to - interval '1 microsecond', 'infinity')")} AS place
WHERE v.id = coalesce((SELECT id FROM versions WHERE former_id = %(version)s), %(version)s::uuid)
    AND (v.seen_to IS NOT NULL AND d.answered_from IS DISTINCT FROM v.id OR {CONFIRMED})
"""  # noqa: S608  constants
# Its own place first, unless another content is there now; then those of copies.
_PLACES = f"""
SELECT d.source, d.path, s.root
FROM versions v JOIN documents d ON d.id = v.document_id JOIN sources s ON s.name = d.source
WHERE v.sha256 = %(sha256)s AND v.seen_to IS NULL AND d.deleted_at IS NULL AND {CONFIRMED}
ORDER BY d.id = %(document)s DESC, d.source, d.path LIMIT {_MOST_PLACES}
"""  # noqa: S608  constants
# The latest first: the NAS deletes the oldest ones first.
_SNAPSHOTS = f"""
SELECT n.source, s.root, n.name AS snapshot, place.path
FROM documents d
CROSS JOIN (SELECT source, name, taken FROM snapshots UNION SELECT source, name, taken FROM volatile.snapshots) n
CROSS JOIN LATERAL {place_at("n.taken")} AS place
JOIN sources s ON s.name = n.source
WHERE d.id = %(document)s AND n.source = place.source AND n.taken >= %(seen_from)s AND n.taken < %(seen_to)s
ORDER BY n.taken DESC LIMIT {_MOST_PLACES}
"""  # noqa: S608  constants
_VERSION_AT = """
SELECT id FROM versions
WHERE document_id = %(document)s
    AND (%(at)s::timestamptz IS NULL OR seen_from <= %(at)s AND (seen_to IS NULL OR seen_to > %(at)s))
ORDER BY seen_from DESC LIMIT 1
"""


@dataclass(frozen=True)
class Version:
    """A version of a document.

    `seen_to` is when another content or the deletion was observed, None for the current version. `path` is the last
    one of its time. `sha256` and `size` are None where the file was never read as a whole.
    """

    version_id: UUID
    document_id: UUID
    source: str
    path: str
    sha256: str | None
    size: int | None
    seen_from: datetime
    seen_to: datetime | None
    is_deleted: bool

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Place:
    """A file on a share that is mounted at `root`: its path in the share, or in a snapshot that the NAS shows in it."""

    source: str
    path: str
    root: Path
    snapshot: str | None = None

    @property
    def folder(self) -> Path:
        """The folder that has the path."""
        return self.root / FOLDER / self.snapshot if self.snapshot else self.root

    @property
    def name(self) -> str:
        """The place as people see it."""
        return f"{self.source}/{self.path}{f' in the snapshot {self.snapshot}' if self.snapshot else ''}"


def load_version(pool: Pool, version_id: UUID) -> tuple[Version, list[Place]] | None:
    """Return a version, and where files with its content should be now; None where it is not on record.

    Versions of forgotten documents are not on record. Snapshots of the NAS are the last places of a version that was
    replaced. Raises UnavailableError where the database cannot be used.
    """
    with pool.connection() as connection:
        row = connection.execute(_VERSION, {"version": version_id}).fetchone()
        if row is None:
            return None
        version = Version(**row)
        parameters = {"sha256": version.sha256, "document": version.document_id}
        rows = connection.execute(_PLACES, parameters).fetchall()
        if version.seen_to:
            times = {"seen_from": version.seen_from, "seen_to": version.seen_to}
            rows += connection.execute(_SNAPSHOTS, {**parameters, **times}).fetchall()
    return version, [Place(**{**row, "root": Path(row["root"])}) for row in rows]


def recognized_words(pool: Pool, version_id: UUID, page: int) -> list[Piece]:
    """Return the words that text recognition read on a page of a version, in order; none of a page with other text."""
    recognized = recognized_page(pool, version_id, page)
    if recognized is None:
        return []
    return [
        Piece(recognized.text[word.start : word.end], Rectangle(word.left, word.top, word.right, word.bottom))
        for word in decode(recognized.boxes)
    ]


def version_at(pool: Pool, document_id: UUID, at: datetime | None) -> UUID | None:
    """Return the version that a document had at a time (None: the last one); None where it did not exist then."""
    with pool.connection() as connection:
        row = connection.execute(_VERSION_AT, {"document": document_id, "at": at}).fetchone()
    return UUID(str(row["id"])) if row else None
