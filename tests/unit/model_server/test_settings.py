# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables and durations in Ollama's notation."""

from pathlib import Path

import pytest

from tars_lab.model_server.errors import ApiError
from tars_lab.model_server.settings import FOREVER_S, Settings, parse_duration, parse_host


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), ("30", 30), (30, 30), (0, 0), ("0", 0), ("0s", 0)],
)
def test_duration(value: str | int, seconds: float) -> None:
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [-1, "-1", "-1m"])
def test_negative_durations_mean_no_limit(value: str | int) -> None:
    assert parse_duration(value) == FOREVER_S


@pytest.mark.parametrize("value", ["", "5 m", "m", "five", "5m3", "--5"])
def test_bad_duration(value: str) -> None:
    with pytest.raises(ApiError, match="invalid duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 11434),
        ("0.0.0.0:11434", "0.0.0.0", 11434),
        ("0.0.0.0", "0.0.0.0", 11434),
        (":8080", "127.0.0.1", 8080),
        ("[::]:11435", "::", 11435),
        ("http://tars:1/", "tars", 1),
    ],
)
def test_host(text: str, host: str, port: int) -> None:
    assert parse_host(text) == (host, port)


@pytest.mark.parametrize("text", ["a:b", "a:0", "a:65536", "::1"])
def test_bad_host(text: str) -> None:
    with pytest.raises(ValueError, match="OLLAMA_HOST"):
        parse_host(text)


def test_defaults() -> None:
    settings = Settings.from_environment({"OLLAMA_MODELS": "/models"})
    assert settings.models == Path("/models")
    assert (settings.keep_alive_s, settings.context_tokens, settings.queue_limit) == (300, 4096, 512)


def test_an_invalid_keep_alive_is_reported_with_its_variable() -> None:
    with pytest.raises(ValueError, match="OLLAMA_KEEP_ALIVE"):
        Settings.from_environment({"OLLAMA_KEEP_ALIVE": "soon"})
