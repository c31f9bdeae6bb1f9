# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a question."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from sse_starlette import EventSourceResponse, ServerSentEvent

from tars_app.answers.schemas import Done, Failure, Question, Sentence, Sources, Token
from tars_app.answers.service import Event, ask
from tars_app.dependencies import Dependencies
from tars_app.kit.metrics import Metrics

_NAMES: dict[type[Event], str] = {
    Sources: "sources",
    Token: "token",
    Sentence: "sentence",
    Done: "done",
    Failure: "error",
}
_STREAM = (
    "A stream of events: `sources` once, `token` many times with a `sentence` after each complete sentence, then "
    "`done` or `error`, whose data are the JSON objects Sources, Token, Sentence, Done and Failure."
)


def make_router(dependencies: Dependencies, metrics: Metrics) -> APIRouter:
    """Return the routes under /api that answer."""
    router = APIRouter(prefix="/api", tags=["answers"])

    @router.post(
        "/ask",
        response_class=EventSourceResponse,
        responses={200: {"description": _STREAM, "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def ask_question(question: Question) -> EventSourceResponse:
        """Answer a question from the documents, with citations whose quotes occur in them.

        With `as_of`, from the versions that existed at that time; each source states what took its place since.
        `understood` is the time that was read from the words of the question.
        """
        times = (question.as_of, question.since, question.latest, question.interpret)
        time = dependencies.time_request(*times)

        async def events() -> AsyncIterator[ServerSentEvent]:
            async for event in ask(dependencies, metrics, question.question.strip(), question.limit, time):
                yield ServerSentEvent(event=_NAMES[type(event)], data=event.model_dump_json())

        return EventSourceResponse(events())

    return router
