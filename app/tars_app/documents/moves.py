# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the document of a new file that was moved from another share.

Between two shares, a NAS moves a file by copying and deleting it. A copy whose original is still in its place is a
document of its own.
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


@dataclass(frozen=True)
class _Origin:
    """A document of another share, and the path of its file."""

    document_id: UUID
    source: str
    path: str

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
    """The documents of other shares, read at the first question."""

    def __init__(self, moves: Moves, pool: Pool, source: str, sizes: Sequence[int]) -> None:
        self._moves = moves
        self._pool = pool
        self._source = source
        self._sizes = sizes
        self._origins: dict[str, list[_Origin]] | None = None

    def take(self, path: str, sha256: str | None) -> UUID | None:
        """Move the document here that has this content and whose file is gone, and return it; None: there is none.

        Of several, it is one whose file had the same name, if there is one. Raises UnavailableError where the database
        cannot be used.
        """
        name = path.rpartition("/")[2]
        for origin in sorted(self._with_content(sha256), key=lambda origin: origin.name != name):
            if self._is_gone(origin):
                self._moves.moved.add(origin.document_id)
                log.info("Moved", extra={"fields": {"document": origin.document_id, "from": origin.source}})
                rename(self._pool, origin.document_id, path, source=self._source)
                return origin.document_id
        return None

    def is_copy(self, sha256: str | None) -> bool:
        """Return whether a document of another share has this content. Raises as `take`."""
        return bool(self._with_content(sha256))

    def _with_content(self, sha256: str | None) -> list[_Origin]:
        if self._origins is None:
            self._origins = self._load()
        origins = self._origins.get(sha256 or "", [])
        return [origin for origin in origins if origin.document_id not in self._moves.moved]

    def _load(self) -> dict[str, list[_Origin]]:
        origins: dict[str, list[_Origin]] = {}
        with self._pool.connection() as connection:
            rows = connection.execute(
                """SELECT v.sha256, d.id, d.source, d.path
                   FROM documents d JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
                   WHERE d.source <> %s AND d.deleted_at IS NULL AND v.sha256 IS NOT NULL
                       AND v.size = ANY(%s::bigint[]) ORDER BY d.source, d.path""",
                (self._source, list(self._sizes)),
            )
            for row in rows:
                origins.setdefault(row["sha256"], []).append(_Origin(row["id"], row["source"], row["path"]))
        return origins

    def _is_gone(self, origin: _Origin) -> bool:
        """Return whether the file is missing from its share, which answers."""
        try:
            return is_absent(self._moves.roots[origin.source], origin.path, self._moves.require_mount)
        except ShareUnavailableError:
            return False
