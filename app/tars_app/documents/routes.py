# SPDX-License-Identifier: GPL-3.0-or-later
"""Listing the documents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tars_app.adapters.postgres import DATABASE_AWAY, database_away
from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Documents

_DOCUMENTS = """
SELECT d.id AS document_id, d.source, d.path, v.state, v.error, v.modified, v.pages, v.chunks
FROM documents d JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
WHERE d.deleted_at IS NULL ORDER BY d.source, d.path
"""

_SOURCES = "SELECT name, available, detail FROM sources ORDER BY name"


def make_router(dependencies: Dependencies) -> APIRouter:
    """Routes under /api about documents."""
    router = APIRouter(prefix="/api", tags=["documents"])

    @router.get("/documents", response_model=Documents)
    def list_documents() -> dict[str, Any]:
        """Every document with its state, and every share with whether it is there.

        A document that failed in its latest version is still answered from as it was before.
        """
        try:
            with dependencies.pool.connection() as connection:
                return {
                    "documents": connection.execute(_DOCUMENTS).fetchall(),
                    "sources": connection.execute(_SOURCES).fetchall(),
                }
        except DATABASE_AWAY as error:
            raise database_away(error) from error

    return router
