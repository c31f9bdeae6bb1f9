# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that routes and the worker are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
from tars_app.adapters.read_cache import ReadCache
from tars_app.adapters.redis import make_client as make_redis_client
from tars_app.kit.instants import EXPECTED, TimeRequest, WrongTimeError, end_of, start_of
from tars_app.settings import Settings

AsOf = Annotated[str | None, Query(max_length=64, description=f"The past time to ask about: {EXPECTED}")]

SINCE = f"With this, also the versions that were replaced between this time and as_of: {EXPECTED}"
LATEST = "Prefer the latest of the documents that fit about equally"
INTERPRET = "Without as_of, since and latest, take the time from the words of the question"
Since = Annotated[str | None, Query(max_length=64, description=SINCE)]
Latest = Annotated[bool, Query(description=LATEST)]
Interpret = Annotated[bool, Query(description=INTERPRET)]


def _clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Dependencies:
    """Clients of everything the application talks to. `now` returns the time at which a question is asked."""

    settings: Settings
    pool: Pool
    redis: redis.Redis
    vectors: VectorIndex
    passages: PassageIndex
    embedder: ollama.Client
    chat: ollama.AsyncClient
    reads: ReadCache = field(default_factory=ReadCache)
    now: Callable[[], datetime] = _clock

    def instant(self, text: str | None) -> datetime | None:
        """Return the moment up to which a day, month or year lasts, or a time, in the household's time zone.

        Raises:
            WrongTimeError: it is not a time, or it lies in the future.
        """
        return None if text is None else end_of(text, self.zone, self.now())

    def time_request(self, as_of: str | None, since: str | None, latest: bool, interpret: bool) -> TimeRequest:
        """Return the time that a request is about.

        Raises:
            WrongTimeError: a time is not one, lies in the future, or `since` is later than `as_of` (None: now).
        """
        now = self.now()
        at = end_of(as_of, self.zone, now) if as_of is not None else None
        if since is None:
            return TimeRequest(at, None, latest, interpret)
        begin, end = start_of(since, self.zone, now), at or now
        if begin > end:
            raise WrongTimeError(f"invalid time: found since {since!r}, which is later than {end.isoformat()}")
        return TimeRequest(end, begin, latest, interpret)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the household's days."""
        return ZoneInfo(self.settings.time_zone)


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
