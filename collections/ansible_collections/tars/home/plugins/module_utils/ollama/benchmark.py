# SPDX-License-Identifier: GPL-3.0-or-later
"""One measured answer of an Ollama server, by the method of Ollama's own benchmark (cmd/bench).

Prompt, seed and lengths are fixed, temperature is 0. Loading is measured separately from answering. Prefill and decode
are separated by the server's own counters; the client's clock is recorded beside them.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

from . import api as ollama

SILENCE_S = 600
"""Seconds without a byte: without a GPU a model reads a long prompt for minutes before its first word."""

TOKENS_PER_WORD = 1.3
"""Of common English words, for Llama tokenizers; the server reports the exact count."""

TEXT = (
    "the house has a boiler in its cellar and every winter somebody asks when it was last cleaned or which "
    "pressure is right who repaired the pump what the invoice listed where the key of the meter box hangs "
    "how long the warranty lasts and why water drips from a valve under one window"
)
"""The words of the prompts."""


def prompt(tokens: int, number: int) -> str:
    """Return a text of about that many tokens, the same for the same number.

    Texts of different numbers differ from the first word on: the server caches the start of a prompt.
    """
    chosen, source = random.Random(number), TEXT.split()  # noqa: S311 - repeatable on purpose
    words = [chosen.choice(source) for _ in range(max(1, int(tokens / TOKENS_PER_WORD)))]
    return f"{number}: {' '.join(words)}. Tell a long story about this house."


def unload(url: str, model: str) -> None:
    """Remove the model from memory, and wait until it is removed."""
    ollama.unload(url, model)
    deadline = time.monotonic() + 60
    while resident(url, model) is not None:
        if time.monotonic() > deadline:
            raise ollama.OllamaError(f"{url} still has {model} in memory a minute after the request to unload it")
        time.sleep(0.2)


def load(url: str, model: str, num_ctx: int) -> float:
    """Load the model from disk; return the seconds it took, by the client's clock."""
    started = time.monotonic()
    ask(url, "/api/generate", {"model": model, "options": {"num_ctx": num_ctx}, "stream": False})
    return time.monotonic() - started


def resident(url: str, model: str) -> dict[str, Any] | None:
    """Return the loaded model's size and the part of it in the GPU's memory, in bytes; None if it is not loaded."""
    for row in ask(url, "/api/ps").get("models") or []:
        if ollama.full_name(row.get("model") or row["name"]) == ollama.full_name(model):
            return {"size_bytes": int(row["size"]), "size_vram_bytes": int(row.get("size_vram") or 0)}
    return None


def identity(url: str, model: str) -> dict[str, Any]:
    """Return server version, and the model's digest, quantisation, parameters and weights in bytes.

    Raises:
        OllamaError: the server does not have the model.
    """
    rows = ollama.tags(url).get("models") or []
    wanted = ollama.full_name(model)
    row = next((row for row in rows if ollama.full_name(row.get("model") or row["name"]) == wanted), None)
    if row is None:
        raise ollama.OllamaError(f"{url} does not have {model}")
    details = row.get("details") or {}
    return {
        "ollama": ask(url, "/api/version")["version"],
        "digest": row["digest"],
        "weights_bytes": int(row["size"]),
        "quantisation": details.get("quantization_level", ""),
        "parameters": details.get("parameter_size", ""),
    }


def measure(url: str, model: str, text: str, num_ctx: int, output_tokens: int, seed: int) -> dict[str, float]:
    """Measure one answer of the model.

    Returns:
        Seconds to the first token; tokens and tokens per second of prefill and decode by the server's counters; and
        `client_decode_tps`, decode by the client's clock, which includes the transport: it checks the server's
        counters.
    """
    options = {"num_ctx": num_ctx, "num_predict": output_tokens, "seed": seed, "temperature": 0}
    body = {"model": model, "prompt": text, "stream": True, "options": options}
    started = time.monotonic()
    first = last = 0.0
    pieces = 0
    end: Mapping[str, Any] = {}
    for event in stream(url, "/api/generate", body):
        now = time.monotonic()
        if event.get("response"):
            first = first or now
            last = now
            pieces += 1
        if event.get("done"):
            end = event
    tokens = int(end.get("eval_count") or 0)
    if tokens < 2 or last <= first:
        raise ollama.OllamaError(
            f"{model} answered with {tokens} tokens in {pieces} pieces; a speed needs at least two of each"
        )
    return {
        "ttft_s": first - started,
        "prompt_tokens": int(end.get("prompt_eval_count") or 0),
        "prefill_tps": rate(int(end.get("prompt_eval_count") or 0), int(end.get("prompt_eval_duration") or 0)),
        "output_tokens": tokens,
        "decode_tps": rate(tokens, int(end["eval_duration"])),
        "client_decode_tps": (tokens - 1) / (last - first),
        "total_s": time.monotonic() - started,
    }


def rate(tokens: int, nanoseconds: int) -> float:
    """Return tokens per second."""
    return tokens / nanoseconds * 1e9 if nanoseconds else 0.0


def ask(url: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return one answer as an object."""
    with ollama.open_url(url, path, body, timeout=SILENCE_S) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def stream(url: str, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a streamed answer as they arrive."""
    try:
        with ollama.open_url(url, path, body, timeout=SILENCE_S) as response:
            yield from ollama.events(response, f"An answer of {body['model']}")
    except OSError as error:
        raise ollama.OllamaError(f"The connection to {url} broke during an answer: {error}") from None
