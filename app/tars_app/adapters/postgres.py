# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL, advisory locks, and the schema."""

from __future__ import annotations

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
from psycopg.errors import DiskFull, UndefinedTable
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from tars_app.kit.errors import Unavailable
from tars_app.settings import Settings

Pool = ConnectionPool[Connection[dict[str, Any]]]

DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, UndefinedTable)
"""What psycopg and its pool raise where the server, its disk or its schema is not there; the rest are our mistakes."""

MIGRATION_LOCK = 0x7A525301
RECONCILE_LOCK = 0x7A525302
"""Keys of PostgreSQL's advisory locks: any numbers that nothing else in this database uses."""


def database_away(error: Exception) -> Unavailable:
    """One of `DATABASE_AWAY`, as one sentence and what to do about it."""
    if isinstance(error, DiskFull):
        return Unavailable("The disk of the database is full.", "Make room on the desktop's disk.")
    if isinstance(error, UndefinedTable):
        return Unavailable("The database has no schema yet.", "Wait for the worker to start, or look into its log.")
    return Unavailable("The database does not answer.", "Check that the postgres container is running.")


def make_pool(settings: Settings) -> Pool:
    """A pool that is not open yet: opening waits for nothing, the first use of a connection does (5 s at most)."""
    conninfo = make_conninfo(
        host=settings.postgres_host,
        port=settings.postgres_port,
        dbname=settings.postgres_db,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
        connect_timeout=5,
        application_name="tars-app",
    )
    return ConnectionPool(
        conninfo,
        connection_class=Connection[dict[str, Any]],
        kwargs={"row_factory": dict_row},
        check=ConnectionPool.check_connection,
        min_size=1,
        max_size=10,
        timeout=5,
        reconnect_timeout=2,  # else it waits ever longer, and stays away for minutes after the server is back
        open=False,
    )


@contextmanager
def try_lock(pool: Pool, key: int) -> Iterator[bool]:
    """Hold an advisory lock for the length of the block, or yield False at once where another process holds it."""
    with pool.connection() as connection:
        connection.autocommit = True
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS held", (key,)).fetchone()
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
    """Bring the schema to this program's version, one process at a time, each step in a transaction.

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
        connection.execute(
            text("UPDATE chunks SET language = CAST(:w AS regconfig) WHERE language <> CAST(:w AS regconfig)"),
            {"w": settings.text_search},
        )
        connection.commit()


def wanted_schema() -> str:
    """The schema version that this program is written for."""
    return ScriptDirectory.from_config(_alembic_config()).get_current_head() or ""


def found_schema(connection: Connection[dict[str, Any]]) -> str | None:
    """The schema version that the database has, None for an empty one."""
    row = connection.execute("SELECT to_regclass('alembic_version') AS name").fetchone()
    if not row or row["name"] is None:
        return None
    version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(version["version_num"]) if version else None
