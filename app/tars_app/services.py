# SPDX-License-Identifier: GPL-3.0-or-later
"""The things that routes and jobs are given to work with."""

from dataclasses import dataclass

import ollama
import redis

from tars_app.database import Pool, make_pool
from tars_app.retrieval.embedding import TIMEOUT, make_client
from tars_app.retrieval.vectors import VectorIndex
from tars_app.settings import Settings


@dataclass(frozen=True)
class Services:
    """Clients of everything the application talks to."""

    settings: Settings
    pool: Pool
    redis: redis.Redis
    vectors: VectorIndex
    embedder: ollama.Client
    chat: ollama.AsyncClient


def make_services(settings: Settings) -> Services:
    """Clients for these settings. Nothing is connected yet, and nothing needs to be there."""
    return Services(
        settings=settings,
        pool=make_pool(settings),
        redis=redis.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            password=settings.redis_password.get_secret_value() or None,
            socket_connect_timeout=5,
            socket_timeout=15,
        ),
        vectors=VectorIndex(settings.chroma_url, settings.embedding_model),
        embedder=make_client(settings.ollama_url),
        chat=ollama.AsyncClient(settings.ollama_url, timeout=TIMEOUT, trust_env=False),
    )
