# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the document of a new file that was moved.

Between two shares, a NAS moves a file by copying and deleting it. A copy whose original is still in its place is a
document of its own. A file that is moved while the shares are listed may be in none of the lists: its document is
deleted by the time at which the file is seen.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tars_app.adapters.mounts import ShareUnavailableError, is_absent
from tars_app.adapters.postgres import Pool
from tars_app.documents.repository import rename

log = logging.getLogger(__name__)

GONE_FOR = "1 day"
"""A new file continues a document that was deleted for at most so long, with the same content in another place."""


@dataclass(frozen=True)
class _Origin:
    """A document of another share, or a deleted one of any share, and the path of its file."""

    document_id: UUID
    source: str
    path: str
    is_deleted: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class Moves:
    """What the passes over all shares know of each other.

    Attributes:
        roots: the folder of each share.
        require_mount: whether a share has to be mounted.
        unsettled_sizes: sizes of new files that could not be read yet: each may be one that is missing elsewhere.
        moved: documents that were found in another share.
    """

    roots: dict[str, Path]
    require_mount: bool
    unsettled_sizes: set[int] = field(default_factory=set)
    moved: set[UUID] = field(default_factory=set)

    def to_share(self, pool: Pool, source: str, sizes: Sequence[int]) -> MovesToShare:
        """Return what finds the documents of new files of a share, which have these sizes in bytes."""
        return MovesToShare(self, pool, source, sizes)


class MovesToShare:
    """The documents of other shares, and deleted ones, read at the first question."""

    def __init__(self, moves: Moves, pool: Pool, source: str, sizes: Sequence[int]) -> None:
        self._moves = moves
        self._pool = pool
        self._source = source
        self._sizes = sizes
        self._origins: dict[str, list[_Origin]] | None = None

    def take(self, path: str, sha256: str | None) -> UUID | None:
        """Move the document here that has this content and whose file is gone, and return it; None: there is none.

        Of several, it is one whose file had the same name, if there is one. A deleted document whose file is back in
        its place is not moved. Raises UnavailableError where the database cannot be used.
        """
        origins = self._with_content(sha256)
        if any((origin.source, origin.path) == (self._source, path) for origin in origins):
            return None
        name = path.rpartition("/")[2]
        for origin in sorted(origins, key=lambda origin: (origin.name != name, origin.is_deleted)):
            if self._is_gone(origin):
                self._moves.moved.add(origin.document_id)
                log.info("Moved", extra={"fields": {"document": origin.document_id, "from": origin.source}})
                rename(self._pool, origin.document_id, path, source=self._source)
                return origin.document_id
        return None

    def is_copy(self, sha256: str | None) -> bool:
        """Return whether a document of another share has this content. Raises as `take`."""
        return any(not origin.is_deleted for origin in self._with_content(sha256))

    def _with_content(self, sha256: str | None) -> list[_Origin]:
        if self._origins is None:
            self._origins = self._load()
        origins = self._origins.get(sha256 or "", [])
        return [origin for origin in origins if origin.document_id not in self._moves.moved]

    def _load(self) -> dict[str, list[_Origin]]:
        origins: dict[str, list[_Origin]] = {}
        with self._pool.connection() as connection:
            rows = connection.execute(
                """SELECT v.sha256, d.id, d.source, d.path, d.deleted_at IS NOT NULL AS is_deleted
                   FROM documents d JOIN versions v ON v.document_id = d.id
                       AND v.seen_to IS NOT DISTINCT FROM d.deleted_at
                   WHERE (d.deleted_at IS NULL AND d.source <> %s OR d.deleted_at > now() - %s::interval)
                       AND v.sha256 IS NOT NULL AND v.size = ANY(%s::bigint[])
                   ORDER BY d.deleted_at DESC, d.source, d.path""",
                (self._source, GONE_FOR, list(self._sizes)),
            )
            for row in rows:
                origin = _Origin(row["id"], row["source"], row["path"], row["is_deleted"])
                origins.setdefault(row["sha256"], []).append(origin)
        return origins

    def _is_gone(self, origin: _Origin) -> bool:
        """Return whether the file is missing from its share, which answers."""
        try:
            return is_absent(self._moves.roots[origin.source], origin.path, self._moves.require_mount)
        except ShareUnavailableError:
            return False
