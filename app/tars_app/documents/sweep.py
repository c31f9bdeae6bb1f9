# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping Chroma what it is derived from: the chunks in PostgreSQL."""

import logging
from collections.abc import Callable

from tars_app.documents.ingest import BATCH
from tars_app.retrieval.embedding import embed
from tars_app.services import Services

log = logging.getLogger(__name__)

_PAGE = 1000


def remove_unclaimed(services: Services) -> int:
    """Remove the vectors whose time has come; returns how many ids were due. Raises Unavailable, psycopg.Error."""
    removed = 0
    while True:
        with services.pool.connection() as connection:
            due = [
                row["chunk_id"]
                for row in connection.execute(
                    """SELECT chunk_id FROM unclaimed_vectors WHERE remove_after <= now()
                       ORDER BY remove_after LIMIT %s FOR UPDATE SKIP LOCKED""",
                    (_PAGE,),
                )
            ]
            services.vectors.remove(due)
            connection.execute("DELETE FROM unclaimed_vectors WHERE chunk_id = ANY(%s)", (due,))
        removed += len(due)
        if len(due) < _PAGE:
            return removed


def remove_unknown(services: Services, progress: Callable[[], None]) -> int:
    """Remove vectors that no record knows, as after a database was restored; returns how many.

    A vector is written after its id is on record, so one whose id is not on record is no work in progress.
    Raises Unavailable, psycopg.Error.
    """
    removed = offset = 0
    while ids := services.vectors.ids(_PAGE, offset):
        with services.pool.connection() as connection:
            known = {
                row["id"]
                for row in connection.execute(
                    """SELECT id FROM chunks WHERE id = ANY(%(ids)s)
                       UNION ALL SELECT chunk_id FROM unclaimed_vectors WHERE chunk_id = ANY(%(ids)s)""",
                    {"ids": ids},
                )
            }
        unknown = [i for i in ids if i not in known]
        services.vectors.remove(unknown)
        removed += len(unknown)
        offset += len(ids) - len(unknown)
        progress()
    return removed


def restore_missing(services: Services, progress: Callable[[], None]) -> int:
    """Embed the chunks that have no vector, as after Chroma was lost or the embedding model changed; returns how many.

    Raises Unavailable, psycopg.Error.
    """
    restored = 0
    last = "00000000-0000-0000-0000-000000000000"
    while True:
        with services.pool.connection() as connection:
            rows = connection.execute(
                "SELECT id, text, version_id FROM chunks WHERE id > %s ORDER BY id LIMIT %s",
                (last, BATCH * 8),
            ).fetchall()
        if not rows:
            return restored
        last = rows[-1]["id"]
        present = services.vectors.present([row["id"] for row in rows])
        absent = [row for row in rows if row["id"] not in present]
        for start in range(0, len(absent), BATCH):
            batch = absent[start : start + BATCH]
            vectors = embed(services.embedder, services.settings.embedding_model, [row["text"] for row in batch])
            services.vectors.add([row["id"] for row in batch], vectors, [row["version_id"] for row in batch])
            restored += len(batch)
            progress()
        progress()


def sweep(services: Services, progress: Callable[[], None]) -> None:
    """Compare both stores whole. Raises Unavailable, psycopg.Error."""
    restored = restore_missing(services, progress)
    removed = remove_unknown(services, progress)
    dropped = services.vectors.drop_other_models()
    if restored or removed or dropped:
        fields = {"restored": restored, "removed": removed, "collections_dropped": dropped}
        log.info("Vector store brought in line", extra={"fields": fields})
