# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies made of events: a stream of newline-delimited JSON, or one object if the client requested no stream.

The work starts when the reply is sent, and is cancelled when the client disconnects, so that it does not delay the next
request.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .errors import ApiError

Event = dict[str, Any]


def merge_generate(events: list[Event]) -> Event:
    """Return one /api/generate object: the last event with the texts of all."""
    return events[-1] | {"response": "".join(event["response"] for event in events)}


def merge_chat(events: list[Event]) -> Event:
    """Return one /api/chat object: the last event with the texts of all."""
    content = "".join(event["message"]["content"] for event in events)
    return events[-1] | {"message": {"role": "assistant", "content": content}}


def merge_pull(events: list[Event]) -> Event:
    """Return one /api/pull object: the last event."""
    return events[-1]


class Reply(Response):
    """The reply. An error before the first event is an HTTP status; a later one is the last line of the stream."""

    def __init__(
        self, events: AsyncGenerator[Event, None], stream: bool, merge: Callable[[list[Event]], Event]
    ) -> None:
        super().__init__()
        self._events = events
        self._stream = stream
        self._merge = merge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the reply, and cancel the work when the client disconnects."""
        work = self._send_stream if self._stream else self._send_one
        answer = asyncio.create_task(work(scope, receive, send))
        disconnect = asyncio.create_task(_disconnect(receive))
        try:
            await asyncio.wait({answer, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            disconnect.cancel()
            if not answer.done():
                answer.cancel()
        try:
            await answer
        except asyncio.CancelledError:
            if not disconnect.done():
                raise

    async def _send_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events) as events:
            try:
                response = JSONResponse(self._merge([event async for event in events]))
            except ApiError as error:
                response = JSONResponse({"error": error.message}, error.status)
        await response(scope, receive, send)

    async def _send_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events) as events:
            try:
                first = await anext(events)
            except ApiError as error:
                await JSONResponse({"error": error.message}, error.status)(scope, receive, send)
                return
            headers = [(b"content-type", b"application/x-ndjson")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send_line(send, first)
            try:
                async for event in events:
                    await _send_line(send, event)
            except ApiError as error:
                await _send_line(send, {"error": error.message})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnect(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_line(send: Send, event: Event) -> None:
    line = json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n"
    await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
