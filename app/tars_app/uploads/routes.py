# SPDX-License-Identifier: GPL-3.0-or-later
"""Add documents to the shares."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from tars_app.adapters.redis import note_added
from tars_app.dependencies import Dependencies
from tars_app.uploads.errors import NoLengthError, WrongTypeError
from tars_app.uploads.schemas import Uploaded, UploadFolder
from tars_app.uploads.service import Uploads

PATH = "/api/uploads"
MEDIA_TYPE = "application/octet-stream"
"""Not one of a form: of other pages, a browser sends it only with the leave of this application, which gives none."""
_REFUSED: dict[int | str, dict[str, str]] = {
    400: {"description": "The file did not arrive as a whole"},
    404: {"description": "The spec names no folder for them"},
    409: {"description": "The name is taken, also with a number"},
    411: {"description": "The request does not state its length"},
    413: {"description": "Files of this size are not read"},
    415: {"description": "Files of this format are not read, or the request is of another media type"},
    422: {"description": "The name cannot be that of a document, or the file is empty"},
    503: {"description": "The folder does not answer or cannot be written to, or too many documents are being added"},
    507: {"description": "The share is full"},
}


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api/uploads."""
    router = APIRouter(prefix=PATH, tags=["uploads"])
    uploads = Uploads(dependencies.settings)

    @router.get("")
    def show_folder() -> UploadFolder:
        """Where documents are added, if they can be."""
        return UploadFolder(place=uploads.place, max_bytes=uploads.max_bytes)

    @router.post("", status_code=201, responses=_REFUSED)
    async def add_document(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=1000, description="Name of the file")]
    ) -> Uploaded:
        """Save the body, of the type application/octet-stream, as a new document. It is read like every other file.

        Another file of this name stays; the document then has a number behind its name.
        """
        if request.headers.get("content-type") != MEDIA_TYPE:
            raise WrongTypeError(f"The request is not of the type {MEDIA_TYPE}.", "Send the file itself, not a form.")
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise NoLengthError("The request does not state its length.", "Send it with the header Content-Length.")
        saved = await uploads.receive(name, int(length), request.stream())
        await run_in_threadpool(note_added, dependencies.redis)
        file = f"{uploads.place}/{saved}"
        return Uploaded(file=file, name=saved, text=f"Saved as {file}. It is read within about a minute.")

    return router
