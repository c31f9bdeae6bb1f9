# SPDX-License-Identifier: GPL-3.0-or-later
"""List the documents and the shares."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tars_app.dependencies import Dependencies
from tars_app.documents.schemas import Documents

_DOCUMENTS = """
SELECT d.id AS document_id, d.source, d.path, v.state, v.error, v.modified, v.pages, v.chunks,
       v.seen_from AS observed, v.dated, nullif(v.dated_by, 'none') AS dated_by,
       nullif(concat_ws(' ', v.time_note, v.index_note), '') AS note
FROM documents d JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
WHERE d.deleted_at IS NULL ORDER BY d.source, d.path
"""

_SOURCES = "SELECT name, available, detail FROM sources ORDER BY name"


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api about documents."""
    router = APIRouter(prefix="/api", tags=["documents"])

    @router.get("/documents", response_model=Documents)
    def list_documents() -> dict[str, Any]:
        """Every document with its state, and every share with whether it is available.

        A document whose latest version failed is still answered from its last indexed version.
        """
        with dependencies.pool.connection() as connection:
            return {
                "documents": connection.execute(_DOCUMENTS).fetchall(),
                "sources": connection.execute(_SOURCES).fetchall(),
            }

    return router
