# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies: newline-delimited JSON, errors by status or as the last line, work cancelled when the client disconnects."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from tars_lab.model_server.errors import ApiError
from tars_lab.model_server.inference import _fit
from tars_lab.model_server.replies import Reply, merge_chat, merge_generate

Events = AsyncGenerator[dict[str, Any], None]


async def two() -> Events:
    yield {"response": "a", "done": False}
    yield {"response": "ü\n", "done": True, "eval_count": 2}


async def fails_at_once() -> Events:
    raise ApiError(404, "no such model")
    yield {}


async def fails_later() -> Events:
    yield {"response": "a", "done": False}
    raise ApiError(500, "runner gone")


async def send(events: Events, stream: bool) -> tuple[int, bytes]:
    """Return status and body that a client receives which stays connected."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def collect(message: Message) -> None:
        sent.append(message)

    await Reply(events, stream, merge_generate)({"type": "http"}, receive, collect)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def test_stream_is_one_object_a_line() -> None:
    status, body = await send(two(), stream=True)
    assert status == 200
    assert [json.loads(line) for line in body.decode().splitlines()] == [event async for event in two()]


async def test_one_object_without_stream() -> None:
    status, body = await send(two(), stream=False)
    assert (status, json.loads(body)) == (200, {"response": "aü\n", "done": True, "eval_count": 2})


def test_merged_chat() -> None:
    events: list[dict[str, Any]] = [{"message": {"content": "a"}}, {"message": {"content": ""}, "done": True}]
    assert merge_chat(events) == {"message": {"role": "assistant", "content": "a"}, "done": True}


@pytest.mark.parametrize("stream", [True, False])
async def test_error_before_the_first_event_is_a_status(stream: bool) -> None:
    status, body = await send(fails_at_once(), stream)
    assert (status, json.loads(body)) == (404, {"error": "no such model"})


async def test_error_in_a_stream_is_its_last_line() -> None:
    status, body = await send(fails_later(), stream=True)
    assert status == 200
    assert json.loads(body.splitlines()[-1]) == {"error": "runner gone"}


async def test_error_later_without_stream_is_a_status() -> None:
    status, body = await send(fails_later(), stream=False)
    assert (status, json.loads(body)) == (500, {"error": "runner gone"})


@pytest.mark.parametrize("stream", [True, False])
async def test_work_ends_when_the_client_disconnects(stream: bool) -> None:
    ended = asyncio.Event()

    async def endless() -> Events:
        try:
            while True:
                yield {"response": "a"}
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def discard(_: Message) -> None:
        pass

    await Reply(endless(), stream, merge_generate)({"type": "http"}, receive, discard)
    assert ended.is_set()


def test_a_prompt_that_is_too_long_keeps_its_first_tokens_and_half_a_window() -> None:
    assert _fit(list(range(9)), 10, 4) == list(range(9))
    assert _fit(list(range(100)), 10, 4) == [0, 1, 2, 3, 97, 98, 99]
    assert len(_fit(list(range(100)), 10, 50)) < 10
