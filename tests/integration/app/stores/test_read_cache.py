# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read is read again after any change, and not before: so a question asks the database little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tars_app.adapters.postgres import Pool
from tars_app.adapters.read_cache import ReadCache
from tars_app.dependencies import make_dependencies
from tars_app.documents import visible
from tars_app.documents.visible import visible_versions
from tars_app.kit.instants import TimeRequest
from tars_app.retrieval.service import search

from ...servers import start_postgres
from ..past import Store, open_store, remember

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def database(workspace: Path) -> Iterator[Store]:
    """In a server of its own, without its vacuum: a transaction in any database of a server changes the snapshot."""
    folder = workspace / "without-vacuum"
    folder.mkdir()
    server = start_postgres(folder)
    with psycopg.connect(f"host=127.0.0.1 port={server.environment['PGPORT']} user=tars dbname=postgres") as connection:
        connection.autocommit = True
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
    with open_store(server) as store:
        yield store
    server.stop()


class Reading:
    """Counts how often the number of documents is read; `during` is done after each time."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        self.during: Callable[[], object] = lambda: None
        self._store, self._cache = store, ReadCache()

    def _read(self, connection: Any) -> int:
        self.count += 1
        [row] = connection.execute("SELECT count(*) AS count FROM documents").fetchall()
        self.during()
        return int(row["count"])

    def value(self, key: object = "documents") -> int:
        with self._store.pool.connection() as connection:
            value: int = self._cache.get(connection, key, self._read)
            return value


def test_a_value_is_kept_until_a_transaction_changes_anything(store: Store) -> None:
    reading = Reading(store)
    assert [reading.value() for _ in range(3)] == [0, 0, 0] and reading.count == 1
    store.observe("a.txt", remember("The rent is 800 euros."), BEGIN)
    assert [reading.value() for _ in range(3)] == [1, 1, 1] and reading.count == 2
    with store.pool.connection() as connection:
        connection.execute("UPDATE documents SET path = 'b.txt'")
        assert reading.value() == 1, "the change is not committed"
    assert reading.value() == 1 and reading.count > 2, "it may have changed what was read"


def test_a_value_that_changed_while_it_was_read_is_not_kept(store: Store) -> None:
    reading = Reading(store)
    reading.during = lambda: store.observe("a.txt", remember("The rent is 800 euros."), BEGIN)
    assert reading.value() == 0
    reading.during = lambda: None
    assert reading.value() == 1


def test_old_values_make_space_for_new_ones(store: Store) -> None:
    reading = Reading(store)
    for key in range(100):
        reading.value(key)
    assert reading.value(99) == 0 and reading.count == 100
    assert reading.value(0) == 0 and reading.count == 101


def test_times_between_two_observations_share_what_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        store.observe("a.txt", remember(f"The rent is {number} euros."), BEGIN + number * DAY)
    read: list[Any] = []
    original = visible._read

    def counted(*arguments: Any) -> Any:
        read.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(visible, "_read", counted)
    cache = ReadCache()

    def ids(at: datetime, since: datetime | None = None) -> bytes:
        with store.pool.connection() as connection:
            return visible_versions(connection, at, since, cache).ids

    first, second = ids(BEGIN), ids(BEGIN + DAY)
    assert first != second and len(read) == 2
    assert {ids(BEGIN + DAY * share) for share in (0.1, 0.5, 0.99)} == {first}
    assert {ids(BEGIN + DAY * (1 + share)) for share in (0.1, 0.5, 0.99)} == {second} and len(read) == 2
    assert len(ids(BEGIN + DAY, BEGIN)) == len(first + second), "those of the time between are others"


@contextmanager
def traced(pool: Pool, trace: Path) -> Iterator[None]:
    """Write what the only connection of a pool and the server send each other to a file."""
    with trace.open("w") as file:
        with pool.connection() as connection:
            connection.pgconn.trace(file.fileno())
        yield
        with pool.connection() as connection:
            connection.pgconn.untrace()


def test_a_question_waits_for_the_database_a_few_times(store: Store, tmp_path: Path) -> None:
    def round_trips(ask: Callable[[], object]) -> int:
        """Return how often the server is waited for."""
        trace = tmp_path / "trace"
        with traced(made.pool, trace):
            ask()
        return trace.read_text().count("ReadyForQuery")

    store.observe("a.txt", remember("The boiler is in the cellar. The rent is 800 euros."), BEGIN)
    made = replace(make_dependencies(store.dependencies.settings), embedder=store.dependencies.embedder)
    made.pool.resize(1, 1)
    with made.pool:
        for question in ("boiler", "rent"):
            assert len(search(made, question, 3, TimeRequest(BEGIN + DAY)).passages) == 1
        nothing = round_trips(lambda: None)
        counts = [
            round_trips(partial(search, made, "cellar rent", 3, TimeRequest(time)))
            for time in (BEGIN + DAY, BEGIN + 2 * DAY)
        ]
    # Which versions, the words of the question, and the passages: each with a check of its connection.
    assert [count - nothing for count in counts] == [3, 3]
