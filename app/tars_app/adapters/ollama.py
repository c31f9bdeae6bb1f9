# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of Ollama, and the vectors of texts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from math import fsum, hypot, isfinite

import httpx
import ollama

from tars_app.kit.errors import UnavailableError

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(300, connect=5)
"""In seconds. Loading a model takes long; a server that is down is noticed when connecting."""
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})
_CHECK_LOG = "Check the log of the ollama container."
_TOO_LONG = "context length"
"""Is in Ollama's error for a text that is longer than the model reads. Before version 0.13.5 it cut such a text, unless
asked to refuse it."""
_SHORTEST_CUT = 200
"""Characters. Every model reads more."""
_SAMPLE = "A short text that every embedding model takes."

Vector = Sequence[float]


class ModelFailedError(UnavailableError):
    """The server answered this request with an error. Another text may succeed."""


class NotInstalledError(UnavailableError):
    """The server does not have the model."""


def make_client(url: str) -> ollama.Client:
    """Return a client of Ollama at `url` that ignores the environment's proxies."""
    return ollama.Client(url, timeout=TIMEOUT, trust_env=False)


def make_async_client(url: str) -> ollama.AsyncClient:
    """Return an asynchronous client of Ollama at `url` that ignores the environment's proxies."""
    return ollama.AsyncClient(url, timeout=TIMEOUT, trust_env=False)


def embed(client: ollama.Client, model: str, texts: Sequence[str]) -> list[Vector]:
    """Return one vector per text, in order.

    Raises:
        ModelFailedError: the model fails on these texts.
        UnavailableError: Ollama does not answer or does not have the model.
    """
    try:
        vectors: list[Vector] = list(client.embed(model=model, input=list(texts), truncate=False).embeddings)
    except (ollama.ResponseError, httpx.HTTPError, ConnectionError, ValueError) as error:
        raise explain(error, model) from error
    if len(vectors) != len(texts) or not all(map(_is_usable, vectors)):
        raise ModelFailedError(f"The model {model} returned unusable vectors.", _CHECK_LOG)
    return vectors


def embed_question(client: ollama.Client, model: str, text: str) -> Vector:
    """Return the vector of a text. Raises as `embed`."""
    [vector] = embed_passages(client, model, [text])
    if vector is None:
        raise ModelFailedError(f"The model {model} fails on this text.", _CHECK_LOG)
    return vector


def embed_passages(client: ollama.Client, model: str, texts: Sequence[str]) -> list[Vector | None]:
    """Return one vector per text, in order; None for a text on which the model fails.

    A batch that fails is halved until the text at fault is alone. If that is too long for the model, its vector is the
    mean of those of its halves; else a sample shows whether the model fails on everything.

    Raises:
        UnavailableError: Ollama does not answer, does not have the model, or the model fails on the sample too.
    """
    try:
        return [*embed(client, model, texts)]
    except ModelFailedError as error:
        if len(texts) > 1:
            middle = len(texts) // 2
            return [
                *embed_passages(client, model, texts[:middle]),
                *embed_passages(client, model, texts[middle:]),
            ]
        if _TOO_LONG in str(error) and len(texts[0]) >= _SHORTEST_CUT:
            log.info("A text is longer than the model reads", extra={"fields": {"characters": len(texts[0])}})
            return [_mean(embed_passages(client, model, _halves(texts[0])))]
        embed(client, model, [_SAMPLE])
        return [None]


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    place = text.rfind(" ", middle // 2, middle) + 1 or middle
    return [text[:place], text[place:]]


def _mean(vectors: Sequence[Vector | None]) -> Vector | None:
    """Return the mean of the directions of vectors, None where one is missing."""
    known = [vector for vector in vectors if vector is not None]
    if len(known) < len(vectors):
        return None
    lengths = [hypot(*vector) for vector in known]
    return [
        fsum(numbers) for numbers in zip(*(_scaled(*pair) for pair in zip(known, lengths, strict=True)), strict=True)
    ]


def _scaled(vector: Vector, length: float) -> list[float]:
    return [number / length for number in vector]


def explain(error: Exception, model: str) -> UnavailableError:
    """Return a failure of Ollama as one sentence and the next step."""
    if isinstance(error, ollama.ResponseError):
        if error.status_code == HTTPStatus.NOT_FOUND:
            return NotInstalledError(f"The model {model} is not installed.", f"Install it: ollama pull {model}")
        kind = UnavailableError if error.status_code in BUSY else ModelFailedError
        return kind(f"The model {model} failed: {error.error}", _CHECK_LOG)
    if isinstance(error, httpx.TimeoutException):
        message = f"The model {model} did not answer in time."
        return UnavailableError(message, "Try again; a large model takes long to load.")
    return UnavailableError("The model server does not answer.", "Check that the ollama container is running.")


def _is_usable(vector: Vector) -> bool:
    return all(map(isfinite, vector)) and any(vector)  # no numbers, or only zeros, have no direction
