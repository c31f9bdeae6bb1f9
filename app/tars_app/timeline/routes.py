# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a document, and the difference between two times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from tars_app.dependencies import Dependencies
from tars_app.documents.lookup import find_document
from tars_app.kit.instants import EXPECTED
from tars_app.retrieval.schemas import PlainText
from tars_app.timeline.repository import days_of_changes, read_history
from tars_app.timeline.schemas import Difference, History, Timeline, TopicDifference
from tars_app.timeline.service import difference
from tars_app.timeline.topic import topic_difference

_Since = Annotated[str, Query(max_length=64, description=f"The earlier time, at its end: {EXPECTED}")]
_Until = Annotated[str | None, Query(max_length=64, description="The later time, at its end; now by default")]
_Name = Annotated[
    str,
    Query(min_length=1, max_length=4096, description="Id, path (with or without its share) or file name, now or once"),
]


def make_router(dependencies: Dependencies) -> APIRouter:
    """Return the routes under /api about the past of a document."""
    router = APIRouter(prefix="/api", tags=["timeline"])

    @router.get("/timeline")
    def show_timeline() -> Timeline:
        """The days on which documents were new or changed. The first one is the earliest that can be asked about."""
        zone = dependencies.settings.time_zone
        return Timeline(zone=zone, days=days_of_changes(dependencies.pool, zone))

    @router.get("/history", responses={404: {"description": "There is no such document"}})
    def show_history(document: _Name) -> History:
        """All versions of a document, with when each was observed and what it claims, and its paths."""
        return read_history(dependencies.pool, find_document(dependencies.pool, document.replace("\x00", "")))

    @router.get("/diff", responses={404: {"description": "There is no such document, history, or text on record"}})
    def show_difference(
        document: _Name,
        since: _Since,
        until: _Until = None,
    ) -> Difference:
        """What changed in a document between two times: the sentences of both versions, letter for letter."""
        begin = dependencies.instant(since) or datetime.now(UTC)
        end = dependencies.instant(until) or datetime.now(UTC)
        return difference(dependencies.pool, find_document(dependencies.pool, document.replace("\x00", "")), begin, end)

    @router.get("/topic", responses={404: {"description": "There is no history of that time"}})
    def show_topic(
        q: Annotated[PlainText, Query(min_length=1, max_length=2000, description="Words of the topic, or a question")],
        since: _Since,
        until: _Until = None,
    ) -> TopicDifference:
        """What changed about a topic between two times: the sentences of both versions in every document about it."""
        begin = dependencies.instant(since) or datetime.now(UTC)
        end = dependencies.instant(until) or datetime.now(UTC)
        return topic_difference(dependencies, q, begin, end)

    return router
