# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: S608  # psql takes no parameters in COPY; all names are quoted
"""What a database contains, read from the catalogs of PostgreSQL. No table of the application is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ...errors import BackupError
from .session import Session, identifier

SCHEMA = "public"
VOLATILE = "volatile"
"""The schema with heartbeats and notes of work to do, which the application creates again; it is not saved."""

_TABLES = f"""
SELECT tables.relname AS name,
       coalesce((SELECT jsonb_agg(attname ORDER BY attnum)
                 FROM pg_catalog.pg_attribute
                 WHERE attrelid = tables.oid
                       AND attnum > 0 AND attgenerated = '' AND NOT attisdropped), '[]') AS columns,
       coalesce((SELECT jsonb_agg(jsonb_build_object('name', attname, 'type', atttypid::pg_catalog.regtype,
                                                     'collated', attcollation <> 0) ORDER BY position)
                 FROM pg_catalog.pg_index
                 CROSS JOIN unnest(indkey::int2[]) WITH ORDINALITY AS key(number, position)
                 JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = number
                 WHERE indrelid = tables.oid AND indisprimary AND position <= indnkeyatts), '[]') AS key,
       (SELECT attname FROM pg_catalog.pg_attribute
        WHERE attrelid = tables.oid AND attidentity <> '' AND NOT attisdropped) AS number
FROM pg_catalog.pg_class AS tables
JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = '{SCHEMA}' AND relkind = 'r'
ORDER BY tables.relname COLLATE "C"
"""

# Rows that a backup of the tables of `public` would not contain.
_OTHER = f"""
SELECT DISTINCT 'tables in the schema ' || nspname AS name
FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT IN ('{SCHEMA}', '{VOLATILE}', 'information_schema') AND nspname NOT LIKE 'pg\\_%'
UNION ALL
SELECT 'large objects' FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0
"""

_SEQUENCES = f"""
SELECT relname AS name FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'S' AND nspname = '{SCHEMA}' ORDER BY relname COLLATE "C"
"""


@dataclass(frozen=True)
class Table:
    """A table of the schema `public`.

    Attributes:
        columns: the columns that are not generated, the one by which rows are split first.
        key: names of the primary key's columns; empty if there is none.
        split: how rows are distributed over files. "numbers": by the first column, an identity, which increases with
            every new row. "digits": by the first column of the key, which is evenly distributed: a uuid, or a hash
            (bytea). Empty: not at all.
        order: the expressions by which rows are ordered.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    split: str
    order: tuple[str, ...]

    @property
    def sql(self) -> str:
        """Return the qualified and quoted name."""
        return f"{SCHEMA}.{identifier(self.name)}"

    @property
    def file_name(self) -> str:
        """Return the name of the table as a file name without a dot."""
        return quote(self.name, safe="").replace(".", "%2E")

    @property
    def copy(self) -> str:
        """Return the statement that writes the rows, in order."""
        order = f" ORDER BY {', '.join(self.order)}" if self.order else ""
        return f"COPY (SELECT {', '.join(map(identifier, self.columns))} FROM ONLY {self.sql}{order}) TO STDOUT"


def tables(session: Session) -> list[Table]:
    """Return the tables whose rows are saved, by name.

    Raises:
        BackupError: the database has rows elsewhere, which would be lost.
    """
    other = [row["name"] for row in session.query(_OTHER)]
    if other:
        raise BackupError(
            "database",
            found=", ".join(sorted(other)),
            expected=f"rows in the schemas {SCHEMA} and {VOLATILE} alone",
            next_step=f"Move the tables to the schema {SCHEMA}, or drop them",
        )
    return [_table(row["name"], row["columns"], row["key"], row["number"]) for row in session.query(_TABLES)]


def _table(name: str, columns: Sequence[str], key: Sequence[Mapping[str, Any]], number: str | None) -> Table:
    names = tuple(column["name"] for column in key)
    first = (number, *(column for column in names if column != number)) if number else names
    split = "numbers" if number else "digits" if key and key[0]["type"] in ("uuid", "bytea") else ""
    # Without a key, by the text of all columns: not every type has an order. The collation "C" is the same everywhere.
    order = [identifier(column["name"]) + (' COLLATE "C"' if column["collated"] else "") for column in key]
    order = [identifier(number), *order] if number else order
    return Table(
        name=name,
        columns=(*first, *(column for column in columns if column not in first)),
        key=names,
        split=split,
        order=tuple(order or [f'{identifier(column)}::text COLLATE "C"' for column in columns]),
    )


def row_counts(session: Session, saved: Sequence[Table]) -> list[int]:
    """Return the number of rows of each table."""
    counts = [f"SELECT {number} AS number, count(*) AS rows FROM ONLY {t.sql}" for number, t in enumerate(saved)]
    rows = session.query(" UNION ALL ".join(counts)) if counts else []
    return [row["rows"] for row in sorted(rows, key=lambda row: int(row["number"]))]


def sequences(session: Session) -> list[dict[str, Any]]:
    """Return name, last value and `is_called` of each sequence.

    Sequences are not part of a transaction. Read after the rows, no value is smaller than one that a row has.
    """
    names = [row["name"] for row in session.query(_SEQUENCES)]
    values = [
        f"SELECT {number} AS number, last_value, is_called FROM {SCHEMA}.{identifier(name)}"
        for number, name in enumerate(names)
    ]
    rows = session.query(" UNION ALL ".join(values)) if values else []
    rows.sort(key=lambda row: int(row.pop("number")))
    return [{"name": name, **row} for name, row in zip(names, rows)]
