# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a document, and the difference between two times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from tars_app.dependencies import Dependencies
from tars_app.kit.instants import EXPECTED
from tars_app.timeline.repository import find_document, read_history
from tars_app.timeline.schemas import Difference, History
from tars_app.timeline.service import difference

_Name = Annotated[
    str,
    Query(min_length=1, max_length=4096, description="Id, path (with or without its share) or file name, now or once"),
]


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api about the past of a document."""
    router = APIRouter(prefix="/api", tags=["timeline"])

    @router.get("/history", responses={404: {"description": "There is no such document"}})
    def show_history(document: _Name) -> History:
        """All versions of a document, with when each was observed and what it claims, and its paths."""
        return read_history(dependencies.pool, find_document(dependencies.pool, document.replace("\x00", "")))

    @router.get("/diff", responses={404: {"description": "There is no such document, history, or text on record"}})
    def show_difference(
        document: _Name,
        since: Annotated[str, Query(max_length=64, description=f"The earlier time, at its end: {EXPECTED}")],
        until: Annotated[
            str | None, Query(max_length=64, description="The later time, at its end; now by default")
        ] = None,
    ) -> Difference:
        """What changed in a document between two times: the sentences of both versions, letter for letter."""
        begin = dependencies.instant(since) or datetime.now(UTC)
        end = dependencies.instant(until) or datetime.now(UTC)
        return difference(dependencies.pool, find_document(dependencies.pool, document.replace("\x00", "")), begin, end)

    return router
