# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of Redis, which carries the queue of documents to read, and the note that one was just added."""

from __future__ import annotations

import logging

import redis

from tars_app.settings import Settings

log = logging.getLogger(__name__)

_ADDED = "tars:added"


def make_client(settings: Settings) -> redis.Redis:
    """Return a client that connects at its first use."""
    return redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value() or None,
        socket_connect_timeout=5,
        socket_timeout=15,
    )


def note_added(client: redis.Redis) -> None:
    """Note that a person has added a document: the worker scans the shares next, instead of at its time.

    Raises nothing. Where the note is lost, the document is found at that time.
    """
    try:
        client.set(_ADDED, 1)
    except redis.RedisError as error:
        log.warning("The next scan is not brought forward", extra={"fields": {"reason": str(error)}})


def take_added(client: redis.Redis) -> bool:
    """Return whether a document was added since the last call. Raises nothing."""
    try:
        return bool(client.delete(_ADDED))
    except redis.RedisError as error:
        log.debug("The next scan is not brought forward", extra={"fields": {"reason": str(error)}})
        return False
