# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the vectors in Chroma in line with the chunks in PostgreSQL, from which they are derived."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tars_app.adapters.chroma import as_uuid
from tars_app.adapters.ollama import embed_passages
from tars_app.dependencies import Dependencies
from tars_app.documents.ingest import BATCH

log = logging.getLogger(__name__)

_PAGE = 1000


def remove_unclaimed(dependencies: Dependencies) -> int:
    """Remove the unclaimed vectors that are due; return how many ids were due."""
    removed = 0
    while True:
        with dependencies.pool.connection() as connection:
            due = [
                row["chunk_id"]
                for row in connection.execute(
                    """SELECT chunk_id FROM unclaimed_vectors WHERE remove_after <= now()
                       ORDER BY remove_after LIMIT %s FOR UPDATE SKIP LOCKED""",
                    (_PAGE,),
                )
            ]
            dependencies.vectors.remove(due)
            connection.execute("DELETE FROM unclaimed_vectors WHERE chunk_id = ANY(%s)", (due,))
        removed += len(due)
        if len(due) < _PAGE:
            return removed


def remove_unknown(dependencies: Dependencies, progress: Callable[[], None]) -> int:
    """Remove vectors without a record, as after a database was restored; return how many.

    A vector is written after its id is on record, so one whose id is not on record is not work in progress.
    """
    removed = offset = 0
    while ids := dependencies.vectors.ids(_PAGE, offset):
        chunk_ids = [chunk_id for i in ids if (chunk_id := as_uuid(i))]
        with dependencies.pool.connection() as connection:
            known = {
                str(row["id"])
                for row in connection.execute(
                    """SELECT id FROM chunks WHERE id = ANY(%(ids)s)
                       UNION ALL SELECT chunk_id FROM unclaimed_vectors WHERE chunk_id = ANY(%(ids)s)""",
                    {"ids": chunk_ids},
                )
            }
        unknown = [i for i in ids if i not in known]
        dependencies.vectors.remove(unknown)
        removed += len(unknown)
        offset += len(ids) - len(unknown)
        progress()
    return removed


def restore_missing(dependencies: Dependencies, progress: Callable[[], None]) -> int:
    """Embed the chunks that have no vector, as after Chroma was lost or the embedding model changed; return how many.

    A passage on which the embedding model fails is left without a vector.
    """
    restored = 0
    last = "00000000-0000-0000-0000-000000000000"
    while True:
        with dependencies.pool.connection() as connection:
            rows = connection.execute(
                "SELECT id, text, version_id FROM chunks WHERE id > %s ORDER BY id LIMIT %s",
                (last, BATCH * 8),
            ).fetchall()
        if not rows:
            return restored
        last = rows[-1]["id"]
        present = dependencies.vectors.present([row["id"] for row in rows])
        absent = [row for row in rows if row["id"] not in present]
        for start in range(0, len(absent), BATCH):
            batch = absent[start : start + BATCH]
            texts = [row["text"] for row in batch]
            vectors = embed_passages(dependencies.embedder, dependencies.settings.embedding_model, texts)
            usable = [(row, vector) for row, vector in zip(batch, vectors, strict=True) if vector is not None]
            if usable:
                dependencies.vectors.add(
                    [row["id"] for row, _ in usable],
                    [vector for _, vector in usable],
                    [row["version_id"] for row, _ in usable],
                )
            restored += len(usable)
            progress()
        progress()


def sweep(dependencies: Dependencies, progress: Callable[[], None]) -> None:
    """Compare both stores in full.

    Raises:
        UnavailableError: a store or the embedding model cannot be used.
    """
    restored = restore_missing(dependencies, progress)
    removed = remove_unknown(dependencies, progress)
    dropped = dependencies.vectors.drop_other_models()
    if restored or removed or dropped:
        fields = {"restored": restored, "removed": removed, "collections_dropped": dropped}
        log.info("Vector store brought in line", extra={"fields": fields})
