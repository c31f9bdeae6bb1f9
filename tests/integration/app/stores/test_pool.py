# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that the server has ended is replaced before it is lent; others are lent without a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest

from tars_app.adapters.postgres import make_pool

from ...servers import Server
from ..databases import connect, empty_database

pytestmark = pytest.mark.integration


def test_a_connection_that_the_server_has_ended_is_not_lent(postgres: Server) -> None:
    with empty_database(postgres) as settings, make_pool(settings) as pool:
        with pool.reading() as connection:
            ended = connection.info.backend_pid
        with connect(settings) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (ended,))
        with pool.reading() as connection:
            assert connection.execute("SELECT 1 AS one").fetchall() == [{"one": 1}]
            assert connection.info.backend_pid != ended


def test_a_connection_is_lent_without_a_round_trip(postgres: Server, tmp_path: Path) -> None:
    messages = tmp_path / "messages"
    with empty_database(postgres) as settings, make_pool(settings) as pool, messages.open("w") as trace:
        pool.wait()  # or it makes a second connection for a client that waits for the first
        with pool.reading() as connection:
            connection.execute("SELECT 1")
            server = connection.pgconn
            server.trace(trace.fileno())
        with pool.reading() as connection:
            assert connection.pgconn is server
        server.untrace()
        assert messages.read_text() == ""
