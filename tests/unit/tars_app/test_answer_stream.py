# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails, the stream of an answer ends with an event that names a next step, and the log has the traceback."""

from __future__ import annotations

import logging

import psycopg
import pytest

from tars_app.adapters.ollama import Vector
from tars_app.answers import service
from tars_app.answers.schemas import Failure
from tars_app.answers.service import Event, ask
from tars_app.dependencies import make_dependencies
from tars_app.kit.errors import UnavailableError
from tars_app.kit.metrics import Metrics
from tars_app.settings import Settings

ERRORS = [
    AttributeError("'NoneType' object has no attribute 'get_or_create_collection'"),
    KeyError("identifier"),
    RuntimeError(),
    RecursionError(),
    MemoryError(),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    psycopg.errors.ProgramLimitExceeded("invented"),
    Exception("status 500"),
    StopAsyncIteration(),
]


async def events_of(error: BaseException, monkeypatch: pytest.MonkeyPatch, metrics: Metrics) -> list[Event]:
    """The events of an answer whose search fails."""

    def fail(*_: object, **__: object) -> list[Vector]:
        raise error

    monkeypatch.setattr(service, "search", fail)
    dependencies = make_dependencies(Settings(chat_model="m", embedding_model="e"))
    return [event async for event in ask(dependencies, metrics, "Why?", None)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_every_exception_becomes_an_event(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.ERROR):
        [event] = await events_of(error, monkeypatch, metrics)
    assert isinstance(event, Failure) and "unexpected error" in event.message and "Ask again" in event.next_step
    [record] = caplog.records
    assert record.exc_info and type(error).__name__ in caplog.text
    assert metrics.registry.get_sample_value("tars_ask_seconds_count", {"outcome": "error"}) == 1


async def test_a_dependency_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    error = UnavailableError("The vector store does not answer.", "Start it.")
    [event] = await events_of(error, monkeypatch, Metrics())
    assert event == Failure(message="The vector store does not answer.", next_step="Start it.")
