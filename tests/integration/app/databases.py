# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of single tests on the shared PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import tars_app.adapters
from tars_app.adapters.postgres import migrate
from tars_app.settings import Settings

from ..servers import Server

EMBEDDING_MODEL = "all-minilm"


_migrated: dict[str, Settings] = {}
"""Databases that nobody uses, with the newest schema, by the port of their server."""


@contextmanager
def empty_database(server: Server, template: Settings | None = None) -> Iterator[Settings]:
    """Yield the settings of the application for a new database, or for a copy of another one that nobody uses."""
    settings = _create(server, template)
    yield settings
    _administrate(server, f"DROP DATABASE {settings.postgres_db} WITH (FORCE)")


@contextmanager
def migrated_database(server: Server) -> Iterator[Settings]:
    """Yield the settings for a new database with the newest schema: a copy of one that is migrated once."""
    port = server.environment["PGPORT"]
    if port not in _migrated:
        made = _create(server, None)
        migrate(made)
        _migrated[port] = made
    with empty_database(server, _migrated[port]) as settings:
        yield settings


def _create(server: Server, template: Settings | None) -> Settings:
    port, name = server.environment["PGPORT"], f"test_{uuid4().hex}"
    _administrate(server, f"CREATE DATABASE {name} TEMPLATE {template.postgres_db if template else 'template1'}")
    if template:
        return template.model_copy(update={"postgres_db": name})
    return Settings(
        postgres_host="127.0.0.1",
        postgres_port=int(port),
        postgres_db=name,
        postgres_password=SecretStr("not-asked-for"),
        chat_model="none",
        embedding_model=EMBEDDING_MODEL,
    )


def _administrate(server: Server, statement: str) -> None:
    port = server.environment["PGPORT"]
    with psycopg.connect(f"host=127.0.0.1 port={port} user=tars dbname=postgres", autocommit=True) as connection:
        connection.execute(statement)


def connect(settings: Settings) -> psycopg.Connection:
    """Return a connection that commits each statement."""
    return psycopg.connect(
        host=settings.postgres_host,
        port=settings.postgres_port,
        user=settings.postgres_user,
        dbname=settings.postgres_db,
        autocommit=True,
    )


def upgrade(settings: Settings, revision: str) -> None:
    """Upgrade the schema to an older revision."""
    place = f"{settings.postgres_user}@{settings.postgres_host}:{settings.postgres_port}/{settings.postgres_db}"
    with create_engine(f"postgresql+psycopg://{place}", poolclass=NullPool).connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(tars_app.adapters.__path__[0]) / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def public_rows(connection: psycopg.Connection) -> dict[str, list[bytes]]:
    """Return the rows of every table of the schema public, as COPY writes them, sorted."""
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    rows = {}
    for (name,) in tables:
        with connection.cursor().copy(
            psycopg.sql.SQL("COPY {} TO STDOUT").format(psycopg.sql.Identifier(name))
        ) as copy:
            rows[name] = sorted(b"".join(copy).splitlines())
    return rows
