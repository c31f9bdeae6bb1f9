# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of Redis, which carries the queue of documents to read."""

from __future__ import annotations

import redis

from tars_app.settings import Settings


def make_client(settings: Settings) -> redis.Redis:
    """Return a client that connects at its first use."""
    return redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value() or None,
        socket_connect_timeout=5,
        socket_timeout=15,
    )
