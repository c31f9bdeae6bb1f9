# SPDX-License-Identifier: GPL-3.0-or-later
"""Forget a document, list what was forgotten, take it back, and show how long versions are kept."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tars_app.dependencies import Dependencies
from tars_app.forgetting import repository, retention, service
from tars_app.forgetting.schemas import Forgotten, Order, Preview, Retention, Tombstones

_Name = Annotated[str, Query(min_length=1, max_length=4096, description="Id, path or file name, now or once")]


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api that forget."""
    router = APIRouter(prefix="/api", tags=["forgetting"])

    @router.get("/forget", responses={404: {"description": "There is no such document"}})
    def preview_forgetting(document: _Name) -> Preview:
        """What forgetting a document removes and what stays. Changes nothing."""
        return service.preview(dependencies, document.replace("\x00", ""))

    @router.post(
        "/forget",
        responses={404: {"description": "There is no such document"}, 409: {"description": "Another id is confirmed"}},
    )
    def forget_document(order: Order) -> Forgotten:
        """Remove a document with all its versions for good, and do not read the same content again.

        `confirm` is the `document_id` of the preview. The worker then erases what the files of the database still hold;
        /api/forgotten shows when that is done.
        """
        return service.forget(dependencies, order.document.replace("\x00", ""), order.confirm)

    @router.get("/forgotten")
    def list_forgotten() -> Tombstones:
        """The documents that were forgotten. Neither their names nor their texts are on record."""
        return Tombstones(forgotten=repository.list_tombstones(dependencies.pool))

    @router.delete(
        "/forgotten/{forgotten_id}",
        status_code=204,
        responses={404: {"description": "None was forgotten with this id"}},
    )
    def take_back_forgotten(forgotten_id: UUID) -> None:
        """Let files with a forgotten content be read again, as new documents, in the next pass of the worker."""
        service.take_back(dependencies, forgotten_id)

    @router.get("/retention")
    def preview_retention() -> Retention:
        """How long versions are kept, and what the worker removes with this setting. Changes nothing."""
        return retention.preview(dependencies.pool, dependencies.settings.versions_years)

    return router
