# SPDX-License-Identifier: GPL-3.0-or-later
"""Vectors of texts, from Ollama."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import ollama

from tars_app.kit.errors import Unavailable

TIMEOUT = httpx.Timeout(300, connect=5)
"""A model that is not loaded yet takes its time to answer; a server that is not there is found out soon."""


def make_client(url: str) -> ollama.Client:
    """Return a client of Ollama at `url` that ignores the environment's proxies."""
    return ollama.Client(url, timeout=TIMEOUT, trust_env=False)


def make_async_client(url: str) -> ollama.AsyncClient:
    """Return an asynchronous client of Ollama at `url` that ignores the environment's proxies."""
    return ollama.AsyncClient(url, timeout=TIMEOUT, trust_env=False)


def embed(client: ollama.Client, model: str, texts: Sequence[str]) -> list[Sequence[float]]:
    """One vector a text, in order.

    Raises:
        Unavailable: Ollama does not answer or does not have the model.
    """
    try:
        return list(client.embed(model=model, input=list(texts)).embeddings)
    except (ollama.ResponseError, httpx.HTTPError, ConnectionError) as error:
        raise explain(error, model) from error


def explain(error: Exception, model: str) -> Unavailable:
    """A failure of Ollama, as one sentence and what to do about it."""
    if isinstance(error, ollama.ResponseError):
        if error.status_code == 404:
            return Unavailable(f"The model {model} is not installed.", f"Install it: ollama pull {model}")
        return Unavailable(f"The model {model} failed: {error.error}", "Check the log of the ollama container.")
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(f"The model {model} did not answer in time.", "Try again; a large model takes long to load.")
    return Unavailable("The model server does not answer.", "Check that the ollama container is running.")
