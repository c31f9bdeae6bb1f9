# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL, advisory locks, and the schema."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.errors import DiskFull, IoError, ReadOnlySqlTransaction, UndefinedColumn, UndefinedTable
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from tars_app.adapters import volatile
from tars_app.kit.errors import UnavailableError
from tars_app.settings import Settings

MIGRATION_LOCK = 0x7A525301
RECONCILE_LOCK = 0x7A525302
FOLLOW_LOCK = 0x7A525303
VISIBILITY_LOCK = 0x7A525304
FORGET_LOCK = 0x7A525305
RECOGNITION_LOCK = 0x7A525306
"""Keys of PostgreSQL's advisory locks: numbers that nothing else in this database uses."""


_UNREACHABLE = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "53300"})
"""SQLSTATE codes of a server that shuts down, starts, dropped the connection, or has none left."""


def as_unavailable(error: psycopg.Error) -> UnavailableError | None:
    """Return what is wrong with the database as a whole, None where only this statement failed.

    psycopg raises OperationalError for both: a server that is down, and a value that exceeds one of its limits. The
    SQLSTATE distinguishes them (PostgreSQL documentation, appendix A).
    """
    code = error.sqlstate
    if code is None:
        away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    else:
        away = code in _UNREACHABLE or code.startswith(("08", "28"))
    if away:
        busy = " On a busy desktop, try again later." if isinstance(error, PoolTimeout) else ""
        return UnavailableError("The database does not answer.", f"Check that the postgres container is running.{busy}")
    if isinstance(error, DiskFull | IoError):
        return UnavailableError("The disk of the database is full or faulty.", "Free disk space on the desktop.")
    if isinstance(error, UndefinedTable | UndefinedColumn):
        return UnavailableError(
            "The database schema is older than this program.", "Wait for the worker to start, or check its log."
        )
    if isinstance(error, ReadOnlySqlTransaction):
        return UnavailableError("The database accepts no changes.", "Check the log of the postgres container.")
    return None


class Pool(ConnectionPool[Connection[dict[str, Any]]]):
    """Connections to PostgreSQL.

    Opening the pool waits for nothing; the first use of a connection waits up to 5 s.
    """

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection[dict[str, Any]]]:
        """Lend a connection for one transaction, which is committed at the end of the block.

        Raises:
            UnavailableError: the database cannot be used; every statement would fail.
            psycopg.Error: this statement failed; others may succeed.
        """
        try:
            with super().connection(timeout) as connection:
                yield connection
        except psycopg.Error as error:
            if unavailable := as_unavailable(error):
                raise unavailable from error
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection[dict[str, Any]]]:
        """Lend a connection for statements that change nothing: each is a transaction, without BEGIN and COMMIT.

        Raises as `connection`.
        """
        with self.connection() as connection:
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = False


def _check(connection: Connection[dict[str, Any]]) -> None:
    """Raise psycopg.OperationalError where the server has ended an idle connection.

    It sends nothing to one that is idle but that it ends, which can be read. So most checks need no round trip.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)


def make_pool(settings: Settings) -> Pool:
    """Return a pool that is not open yet."""
    conninfo = make_conninfo(
        host=settings.postgres_host,
        port=settings.postgres_port,
        dbname=settings.postgres_db,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        connect_timeout=5,
        application_name="tars-app",
    )
    return Pool(
        conninfo,
        connection_class=Connection[dict[str, Any]],
        kwargs={"row_factory": dict_row},
        check=_check,
        min_size=1,
        max_size=10,
        timeout=5,
        reconnect_timeout=2,  # by default it waits longer each time, and reconnects minutes after the server is back
        open=False,
    )


@contextmanager
def try_lock(pool: Pool, key: int, wait: bool = False) -> Iterator[bool]:
    """Hold an advisory lock for the length of the block.

    While another session holds it, yields False at once, or with `wait` when that session has released it.
    """
    with pool.connection() as connection:
        connection.autocommit = True
        take = "SELECT true AS held FROM pg_advisory_lock(%s)" if wait else "SELECT pg_try_advisory_lock(%s) AS held"
        row = connection.execute(take, (key,)).fetchone()
        held = bool(row and row["held"])
        try:
            yield held
        finally:
            if held and not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
            connection.autocommit = False


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(settings: Settings) -> None:
    """Upgrade the schema to this program's version, one process at a time, each step in a transaction.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    url = URL.create(
        "postgresql+psycopg",
        settings.postgres_user,
        settings.postgres_password.get_secret_value(),
        settings.postgres_host,
        settings.postgres_port,
        settings.postgres_db,
    )
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        volatile.ensure(connection)
        connection.commit()


def required_schema() -> str:
    """Return the schema version that this program is written for."""
    return ScriptDirectory.from_config(_alembic_config()).get_current_head() or ""


def current_schema(connection: Connection[dict[str, Any]]) -> str | None:
    """Return the schema version of the database, None for an empty one."""
    row = connection.execute("SELECT to_regclass('alembic_version') AS name").fetchone()
    if not row or row["name"] is None:
        return None
    version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(version["version_num"]) if version else None
