# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that routes and the worker are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import ollama
import redis
from fastapi import Query

from tars_app.adapters.chroma import VectorIndex
from tars_app.adapters.ollama import make_async_client, make_client
from tars_app.adapters.passage_index import PassageIndex
from tars_app.adapters.postgres import Pool, make_pool
from tars_app.adapters.redis import make_client as make_redis_client
from tars_app.kit.instants import EXPECTED, end_of
from tars_app.settings import Settings

AsOf = Annotated[str | None, Query(max_length=64, description=f"The past time to ask about: {EXPECTED}")]


@dataclass(frozen=True)
class Dependencies:
    """Clients of everything the application talks to."""

    settings: Settings
    pool: Pool
    redis: redis.Redis
    vectors: VectorIndex
    passages: PassageIndex
    embedder: ollama.Client
    chat: ollama.AsyncClient

    def instant(self, text: str | None) -> datetime | None:
        """Return the moment up to which a day, month or year lasts, or a time, in the household's time zone.

        Raises:
            WrongTimeError: it is not a time, or it lies in the future.
        """
        return None if text is None else end_of(text, ZoneInfo(self.settings.time_zone), datetime.now(UTC))


def make_dependencies(settings: Settings) -> Dependencies:
    """Return clients for these settings. None connects before its first use."""
    pool = make_pool(settings)
    return Dependencies(
        settings=settings,
        pool=pool,
        redis=make_redis_client(settings),
        vectors=VectorIndex(settings.chroma_url, settings.embedding_model),
        passages=PassageIndex(pool, settings.embedding_model),
        embedder=make_client(settings.ollama_url),
        chat=make_async_client(settings.ollama_url),
    )
