# SPDX-License-Identifier: GPL-3.0-or-later
"""generate, chat and embed: requests are sent to the model's process, and its answers converted to Ollama's objects.

Durations are in nanoseconds.
"""

import json
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import httpx

from . import requests
from .errors import ApiError
from .runners import Runner, Runners
from .settings import Settings
from .store import Model

Event = dict[str, Any]


class Inference:
    """Answers requests with the models that `runners` loads."""

    def __init__(self, settings: Settings, runners: Runners) -> None:
        self._settings = settings
        self._runners = runners

    async def generate(self, request: requests.Generate, model: Model) -> AsyncGenerator[Event, None]:
        """Yield the events of /api/generate: one for each token, then the final one."""
        turns = [{"role": "system", "content": request.system}] if request.system else []
        messages = [*turns, {"role": "user", "content": request.prompt}] if request.prompt else []
        raw = request.prompt if request.raw else None
        answer = self._answer(request, model, messages, raw, bool(request.images))
        async with aclosing(answer):
            async for text, final in answer:
                yield _stamp(request, {"response": text}, final)

    async def chat(self, request: requests.Chat, model: Model) -> AsyncGenerator[Event, None]:
        """Yield the events of /api/chat: one for each token, then the final one."""
        if request.tools:
            raise ApiError(400, f"{request.model or request.name} does not support tools")
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        images = any(message.images for message in request.messages)
        answer = self._answer(request, model, messages, None, images)
        async with aclosing(answer):
            async for text, final in answer:
                yield _stamp(request, {"message": {"role": "assistant", "content": text}}, final)

    async def embed(self, request: requests.Embed, model: Model) -> Event:
        """Return the answer of /api/embed."""
        started = time.monotonic_ns()
        if model.config["model_format"] == "gguf":
            raise ApiError(400, f'"{request.model or request.name}" does not support embeddings')
        options = _options(request, model)
        limit = int(model.parameters["num_ctx"])
        texts = [request.input] if isinstance(request.input, str) else request.input
        async with self._runners.use(model, min(options.num_ctx or limit, limit), request.keep_alive) as runner:
            answer = await _post(runner, "/embed", {"input": texts})
            load_duration = round(runner.load_s * 1e9)
        if answer["truncated"] and not request.truncate:
            raise ApiError(400, "the input length exceeds the context length")
        return {
            "model": request.model or request.name,
            "embeddings": [_shorten(embedding, request.dimensions) for embedding in answer["embeddings"]],
            "total_duration": time.monotonic_ns() - started,
            "load_duration": load_duration,
            "prompt_eval_count": answer["tokens"],
        }

    async def _answer(
        self,
        request: requests.ForGeneration,
        model: Model,
        messages: list[dict[str, str]],
        raw: str | None,
        images: bool,
    ) -> AsyncGenerator[tuple[str, Event | None], None]:
        """Yield each piece of text with None, and at the end "" with the fields of the final object."""
        started = time.monotonic_ns()
        empty = not messages and raw is None
        if empty and request.keep_alive == 0:
            # Also for an embedding model: Ollama checks the capabilities of a model only after this.
            await self._runners.unload(str(model.name))
            yield "", {"done_reason": "unload"}
            return
        if model.config["model_format"] != "gguf":
            verb = "chat" if isinstance(request, requests.Chat) else "generate"
            raise ApiError(400, f'"{request.model or request.name}" does not support {verb}')
        if images or request.think:
            what = "images" if images else "thinking"
            raise ApiError(400, f'"{request.model or request.name}" does not support {what}')
        options = _options(request, model)
        if empty:
            yield "", await self._load_only(request, model, options)
            return
        async with self._runners.use(model, self._context_tokens(options), request.keep_alive) as runner:
            prompt = await (_fit_text(runner, raw, options) if raw else _fit_chat(runner, messages, options))
            chunks = _stream(runner, _completion(prompt, options, request.format))
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk["content"]:
                        yield chunk["content"], None
                    if chunk["stop"]:
                        yield "", _final(chunk, started, runner.load_s)

    async def _load_only(self, request: requests.ForGeneration, model: Model, options: requests.Options) -> Event:
        async with self._runners.use(model, self._context_tokens(options), request.keep_alive):
            return {"done_reason": "load"}

    def _context_tokens(self, options: requests.Options) -> int:
        return options.num_ctx or self._settings.context_tokens


def _options(request: requests.ForInference, model: Model) -> requests.Options:
    return requests.validate(requests.Options, model.parameters | request.options)


def _stamp(request: requests.ForGeneration, content: Event, final: Event | None) -> Event:
    created_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    head = {"model": request.model or request.name, "created_at": created_at, **content}
    return head | {"done": False} if final is None else head | {"done": True} | final


def _final(chunk: Event, started: int, load_s: float) -> Event:
    timings = chunk["timings"]
    return {
        "done_reason": "length" if chunk["stop_type"] == "limit" else "stop",
        "total_duration": time.monotonic_ns() - started,
        "load_duration": round(load_s * 1e9),
        "prompt_eval_count": chunk["tokens_evaluated"],
        "prompt_eval_duration": round(timings["prompt_ms"] * 1e6),
        "eval_count": chunk["tokens_predicted"],
        "eval_duration": round(timings["predicted_ms"] * 1e6),
    }


def _completion(prompt: list[int], options: requests.Options, answer_format: dict[str, Any] | str | None) -> Event:
    body = options.model_dump(exclude={"num_ctx", "num_predict", "num_keep"})
    body |= {"prompt": prompt, "stream": True, "n_predict": options.num_predict}
    if answer_format:
        body["json_schema"] = {} if answer_format == "json" else answer_format
    return body


async def _fit_chat(runner: Runner, messages: list[dict[str, str]], options: requests.Options) -> list[int]:
    """Return the tokens of the prompt.

    If not all turns fit, the oldest ones are dropped, as in Ollama, but never system turns and the last one.
    """
    while True:
        prompt = (await _post(runner, "/apply-template", {"messages": messages}))["prompt"]
        tokens = await _tokenize(runner, prompt)
        oldest = next((i for i, m in enumerate(messages[:-1]) if m["role"] != "system"), None)
        if len(tokens) < runner.context_tokens or oldest is None:
            return _fit(tokens, runner.context_tokens, options.num_keep)
        messages = messages[:oldest] + messages[oldest + 1 :]


async def _fit_text(runner: Runner, prompt: str, options: requests.Options) -> list[int]:
    return _fit(await _tokenize(runner, prompt), runner.context_tokens, options.num_keep)


def _fit(tokens: list[int], limit: int, keep: int) -> list[int]:
    """Return the tokens; of a prompt that is too long the first ones and half a window of the last, as in Ollama."""
    if len(tokens) < limit:
        return tokens
    keep = min(max(keep, 0), limit // 2)
    return tokens[:keep] + tokens[-(limit - keep) // 2 :]


async def _tokenize(runner: Runner, text: str) -> list[int]:
    body = {"content": text, "add_special": True, "parse_special": True}
    tokens: list[int] = (await _post(runner, "/tokenize", body))["tokens"]
    return tokens


async def _post(runner: Runner, path: str, body: Event) -> Event:
    try:
        response = await runner.client.post(path, json=body)
    except httpx.HTTPError as error:
        raise _gone(runner) from error
    if response.is_error:
        raise _refused(response.text)
    answer: Event = response.json()
    return answer


async def _stream(runner: Runner, body: Event) -> AsyncGenerator[Event, None]:
    try:
        async with runner.client.stream("POST", "/completion", json=body) as response:
            if response.is_error:
                raise _refused((await response.aread()).decode())
            async for line in response.aiter_lines():
                if line.startswith("error:"):
                    raise _refused(line.removeprefix("error:"))
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
    except httpx.HTTPError as error:
        raise _gone(runner) from error


def _gone(runner: Runner) -> ApiError:
    runner.lost = True
    problem = f"model '{runner.model.name}': runner process no longer running"
    return ApiError(500, f"{problem}; see the log, and send the request again to reload the model")


def _refused(text: str) -> ApiError:
    try:
        error = json.loads(text)
        error = error.get("error", error)
        return ApiError(400 if error["code"] < 500 else 500, error["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(500, f"runner answered: {text[:200]}")


def _shorten(embedding: list[float], dimensions: int | None) -> list[float]:
    if not dimensions or dimensions >= len(embedding):
        return embedding
    length = math.hypot(*embedding[:dimensions])
    return [value / length for value in embedding[:dimensions]]
