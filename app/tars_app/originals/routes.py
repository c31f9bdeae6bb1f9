# SPDX-License-Identifier: GPL-3.0-or-later
"""Show and download the files behind citations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import Response, StreamingResponse

from tars_app.adapters.deadline import Deadline
from tars_app.dependencies import AsOf, Dependencies
from tars_app.originals.media_types import attachment, media_type
from tars_app.originals.pages import page_of, picture
from tars_app.originals.schemas import Original, PageView
from tars_app.originals.service import Originals
from tars_app.retrieval.places import PLACE_ID, open_passage
from tars_app.retrieval.schemas import NO_PASSAGE, QUOTED, PlainText

DEADLINE_S = 15.0
"""For each call of a file. The mounts of the shares end theirs with an error after about as long."""
_NEVER_SHOWN = "sandbox; default-src 'none'; frame-ancestors 'none'"
_REFUSED: dict[int | str, dict[str, str]] = {
    404: {"description": "There is no such version, or its document was forgotten"},
    409: {"description": "The file has changed since, or cannot be opened or shown"},
    410: {"description": "The version was replaced or deleted, and no share has its content"},
    503: {"description": "The share does not answer"},
}


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api about files of the shares."""
    router = APIRouter(prefix="/api", tags=["originals"], responses=_REFUSED)
    originals = Originals(dependencies, Deadline(DEADLINE_S))

    def describe(version_id: UUID) -> Original:
        opened = originals.find(version_id)
        version, place = opened.version, opened.place
        return Original(
            version_id=version.version_id,
            document_id=version.document_id,
            source=place.source,
            path=place.path,
            snapshot=place.snapshot,
            name=version.name,
            media_type=media_type(version.name),
            size=opened.file.size,
        )

    @router.get("/originals")
    def find_original(
        document: Annotated[PlainText, Query(min_length=1, max_length=4096, description="Id, path or file name")],
        as_of: AsOf = None,
    ) -> Original:
        """The file of a document, in the version of now or of a past time."""
        return describe(originals.version_of(document, dependencies.instant(as_of)))

    @router.get("/originals/{version_id}")
    def show_original(version_id: UUID) -> Original:
        """The file of a version of a document: where it is now, and its size. An error states why there is none.

        `version_id` is that of a passage, or of a version in a history.
        """
        return describe(version_id)

    @router.get("/originals/{version_id}/file", response_class=StreamingResponse)
    def download_original(version_id: UUID) -> StreamingResponse:
        """The file as it was read, byte for byte, as a download that no browser shows."""
        opened = originals.verified(version_id)
        headers = {
            "Content-Type": media_type(opened.version.name),
            "Content-Length": str(opened.file.size),
            "Content-Disposition": attachment(opened.version.name),
            "Content-Security-Policy": _NEVER_SHOWN,
        }
        return StreamingResponse(opened.blocks(), headers=headers)

    @router.get("/originals/{version_id}/pages/{number}", response_class=Response)
    def draw_page(version_id: UUID, number: Annotated[int, Path(ge=1, le=1_000_000)]) -> Response:
        """A page of a PDF, a scan or a photo as a picture (PNG)."""
        return Response(picture(originals, version_id, number), media_type="image/png")

    @router.get("/passages/{chunk_id}/page")
    def show_page(
        chunk_id: Annotated[str, Path(pattern=PLACE_ID, description="As in a search result or a source")],
        quote: Annotated[PlainText | None, Query(max_length=4000, description=QUOTED)] = None,
    ) -> PageView:
        """The page of a PDF or a scan on which a passage stands, and the rectangles on it that cover the quotation."""
        opened = open_passage(dependencies.pool, chunk_id)
        if opened is None:
            raise HTTPException(404, NO_PASSAGE)
        passage, before, _ = opened
        return page_of(originals, passage, before, quote)

    return router
