# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream an answer from the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import httpx
import ollama

from tars_app.adapters.ollama import BUSY, explain
from tars_app.kit.errors import UnavailableError
from tars_app.settings import Settings

ATTEMPTS = 2
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Usage:
    """Tokens as the model server counted them."""

    prompt_tokens: int
    answer_tokens: int


async def generate(
    client: ollama.AsyncClient, settings: Settings, messages: Sequence[ollama.Message]
) -> AsyncIterator[str | Usage]:
    """Yield the pieces of the answer as they arrive, and at the end the tokens used.

    A failure before the first piece is tried again once. After it, never: a second answer would be appended to the
    first.

    Raises:
        UnavailableError: the model failed, or its answer broke off.
    """
    model = settings.chat_model
    for attempt in range(1, ATTEMPTS + 1):
        started = False
        try:
            stream = await client.chat(
                model=model,
                messages=messages,
                stream=True,
                options={
                    "num_ctx": settings.context_tokens,
                    "num_predict": settings.answer_tokens,
                    "temperature": settings.temperature,
                    "seed": settings.seed,
                    # An answer repeats the document's words. Ollama's default of 1.1 makes small models avoid them.
                    "repeat_penalty": 1.0,
                },
            )
            async with aclosing(stream) as parts:  # type: ignore[type-var]  # an async generator, annotated as iterator
                async for part in parts:
                    if part.message.content:
                        started = True
                        yield part.message.content
                    if part.done:
                        yield Usage(part.prompt_eval_count or 0, part.eval_count or 0)
                        return
            raise UnavailableError("The model's answer broke off before its end.", "Ask again.")
        except (ollama.ResponseError, httpx.HTTPError, ConnectionError, ValueError) as error:
            if started:
                reason = explain(error, model)
                raise UnavailableError(f"The model's answer broke off: {reason}", "Ask again.") from error
            if attempt == ATTEMPTS or not _may_pass(error):
                raise explain(error, model) from error
            await asyncio.sleep(RETRY_AFTER_S)


def _may_pass(error: Exception) -> bool:
    """Return whether another attempt may succeed."""
    if isinstance(error, ollama.ResponseError):
        return error.status_code in BUSY
    return isinstance(error, httpx.TransportError | ConnectionError) and not isinstance(error, httpx.ReadTimeout)
