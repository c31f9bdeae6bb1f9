# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files were read, which were not and why, and reading them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from tars_app.dependencies import Dependencies
from tars_app.kit.text import storable
from tars_app.library import service
from tars_app.library.repository import Selection
from tars_app.library.schemas import STATES, File, Files, Library, Retried, RetryOrder, State

FolderName = Annotated[str, Query(max_length=8192, description="With its share, as LLM_docs/house; empty: all shares")]
States = Annotated[list[State] | None, Query(max_length=6, description=f"One or more; without it, all. {STATES}")]
Text = Annotated[str, Query(max_length=1000, description="A part of the path, without regard to case")]
_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def _select(folder: str = "", states: Sequence[State] | None = None, text: str = "") -> Selection:
    return Selection(storable(folder).strip("/"), tuple(states or ()), storable(text).strip() or None)


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api/library."""
    router = APIRouter(prefix="/api/library", tags=["library"])

    @router.get("")
    def show_library(folder: FolderName = "") -> Library:
        """How many files of the shares, or of a folder, were read, and of each folder in it; and how long it takes."""
        return service.overview(dependencies.pool, _select(folder))

    @router.get("/files")
    def list_files(
        folder: FolderName = "",
        state: States = None,
        text: Text = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    ) -> Files:
        """The files of the shares or of a folder with everything below it, each with its state and the reason."""
        return service.files(dependencies.pool, _select(folder, state, text), limit, offset)

    @router.get("/file", responses={404: {"description": "There is none"}, 409: {"description": "There are several"}})
    def show_file(path: Annotated[str, Query(min_length=1, max_length=8192)]) -> File:
        """Whether a file was read, by its path with or without the share, or by its name."""
        return service.find(dependencies.pool, storable(path).strip("/"))

    @router.get("/export", response_class=StreamingResponse)
    def export_files(
        form: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
        folder: FolderName = "",
        state: States = None,
        text: Text = "",
    ) -> StreamingResponse:
        """All files as a table, to keep or to open in a spreadsheet."""
        content = service.export(dependencies.pool, _select(folder, state, text), form)
        headers = {"Content-Disposition": f'attachment; filename="library.{form}"'}
        return StreamingResponse(content, media_type=_TYPES[form], headers=headers)

    @router.post("/retry", responses={404: {"description": "There is none"}, 409: {"description": "Nothing to do"}})
    def retry_files(order: RetryOrder) -> Retried:
        """Read a file, the failed files of a folder, or all failed files again, before all others."""
        path = None if order.path is None else storable(order.path).strip("/")
        folder = None if order.folder is None else storable(order.folder).strip("/")
        return service.retry(dependencies.pool, path, folder)

    return router
