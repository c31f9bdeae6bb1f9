# SPDX-License-Identifier: GPL-3.0-or-later
"""List the documents and the shares."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tars_app.dependencies import AsOf, Dependencies
from tars_app.documents.recorded_paths import place_at
from tars_app.documents.schemas import Documents, Past
from tars_app.documents.visible import AT, visible_versions

_COLUMNS = """d.id AS document_id, v.state, v.error, v.modified, v.seen_from AS observed, v.dated,
       nullif(v.dated_by, 'none') AS dated_by, v.pages, v.chunks,
       nullif(concat_ws(' ', v.time_note, v.index_note), '') AS note"""
_DOCUMENTS = f"""
SELECT {_COLUMNS}, d.source, d.path FROM documents d JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
WHERE d.deleted_at IS NULL ORDER BY d.source, d.path
"""  # noqa: S608  constants
_PAST = f"""
SELECT {_COLUMNS}, place.source, place.path FROM documents d JOIN versions v ON v.document_id = d.id
CROSS JOIN LATERAL {place_at("%(at)s")} AS place
WHERE {AT} ORDER BY place.source, place.path
"""  # noqa: S608  constants

_SOURCES = "SELECT name, available, detail FROM sources ORDER BY name"


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api about documents."""
    router = APIRouter(prefix="/api", tags=["documents"])

    @router.get("/documents", response_model=Documents)
    def list_documents(as_of: AsOf = None) -> dict[str, Any]:
        """Every document with its state, and every share with whether it is available.

        A document whose latest version failed is still answered from its last indexed version. With `as_of`, the
        documents of that time under the paths that they had, with the state in which those versions are now.
        """
        at = dependencies.instant(as_of)
        with dependencies.pool.connection() as connection:
            past = visible_versions(connection, at, None, dependencies.reads).past if at else None
            return {
                "as_of": past and Past.model_validate(past, from_attributes=True),
                "documents": connection.execute(_PAST if at else _DOCUMENTS, {"at": at, "since": at}).fetchall(),
                "sources": connection.execute(_SOURCES).fetchall(),
            }

    return router
