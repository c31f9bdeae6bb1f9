# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference/database.md describes the tables as they are. `TARS_WRITE_PAGES=1` rewrites the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tars_app.adapters.postgres import migrate, required_schema

from .conftest import Server
from .databases import connect, empty_database

pytestmark = pytest.mark.integration

HEADER = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
# The database

The tables of the application in PostgreSQL, at schema version {version}. The comments are those of the database;
`tests/integration/app/test_database_page.py` compares this page with it.

The schema `public` holds what has to be kept: documents, their history, and the vectors. Everything else can be built
from it. While no file changes, no row changes. The first column of the primary keys is random, except in the small
tables `snapshots`, `sources`, `unwatched` and `version_retention`, so that rows can be divided evenly by it.

The schema `volatile` is not backed up and not restored. The worker creates it at its start.
"""


def render(connection: psycopg.Connection) -> str:
    tables = connection.execute(
        """SELECT c.oid, n.nspname, c.relname, c.relpersistence = 'u', obj_description(c.oid)
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname IN ('public', 'volatile') AND c.relname <> 'alembic_version'
           ORDER BY n.nspname, c.relname"""
    ).fetchall()
    parts = [HEADER.format(version=required_schema())]
    for oid, schema, name, unlogged, comment in tables:
        if f"## {schema}\n" not in parts:
            parts.append(f"## {schema}\n")
        parts.append(f"### {name}\n\n{comment}.{' Unlogged: empty after a crash.' if unlogged else ''}\n")
        parts.append("| Column | Type | |\n|---|---|---|")
        parts.append("\n".join(columns(connection, oid)) + "\n")
    return "\n".join(parts)


def columns(connection: psycopg.Connection, table: int) -> Iterator[str]:
    rows = connection.execute(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum),
                  a.attnum = ANY(i.indkey), a.attgenerated <> ''
           FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
           WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
        (table,),
    )
    for name, kind, comment, key, generated in rows:
        notes = [comment, "Primary key" if key else None, "Generated" if generated else None]
        yield f"| `{name}` | {kind} | {'. '.join(filter(None, notes))} |"


def test_the_page_describes_the_tables(postgres: Server, root: Path) -> None:
    page = root / "docs" / "reference" / "database.md"
    with empty_database(postgres) as settings:
        migrate(settings)
        with connect(settings) as connection:
            text = render(connection)
    if os.environ.get("TARS_WRITE_PAGES"):
        page.write_text(text)
    assert page.read_text() == text, "run this test with TARS_WRITE_PAGES=1, and read the difference"


def test_every_column_that_is_kept_has_a_comment(postgres: Server) -> None:
    with empty_database(postgres) as settings:
        migrate(settings)
        with connect(settings) as connection:
            missing = connection.execute(
                """SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
                   WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
                     AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL"""
            ).fetchall()
    assert missing == []
