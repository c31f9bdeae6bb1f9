# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that routes and the worker are given."""

from __future__ import annotations

from dataclasses import dataclass

import ollama
import redis

from tars_app.adapters.chroma import VectorIndex
from tars_app.adapters.ollama import make_async_client, make_client
from tars_app.adapters.postgres import Pool, make_pool
from tars_app.adapters.redis import make_client as make_redis_client
from tars_app.settings import Settings


@dataclass(frozen=True)
class Dependencies:
    """Clients of everything the application talks to."""

    settings: Settings
    pool: Pool
    redis: redis.Redis
    vectors: VectorIndex
    embedder: ollama.Client
    chat: ollama.AsyncClient


def make_dependencies(settings: Settings) -> Dependencies:
    """Return clients for these settings. None connects before its first use."""
    return Dependencies(
        settings=settings,
        pool=make_pool(settings),
        redis=make_redis_client(settings),
        vectors=VectorIndex(settings.chroma_url, settings.embedding_model),
        embedder=make_client(settings.ollama_url),
        chat=make_async_client(settings.ollama_url),
    )
