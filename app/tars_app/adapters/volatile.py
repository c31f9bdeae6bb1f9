# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema `volatile`: heartbeats, and notes of work to do. Losing it loses nothing, and it is not backed up.

Most tables are unlogged: they change all the time, and PostgreSQL empties them after a crash. They have no migrations.
A definition that differs from this program's is dropped and created again.

A database that was restored has no such schema until the worker creates it. Its documents may have been deleted since
the backup, so none is answered from until its share was scanned.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

DEFINITION = """
CREATE SCHEMA volatile;

CREATE TABLE volatile.origin (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE volatile.origin IS 'One row: when this schema was created';
INSERT INTO volatile.origin DEFAULT VALUES;

CREATE TABLE volatile.scans (
    source text PRIMARY KEY,
    scanned_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE volatile.scans IS
    'The last complete scan of each share. Documents that are older than this schema are not answered from before it';

CREATE UNLOGGED TABLE volatile.passes (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    started_at timestamptz NOT NULL,
    progress_at timestamptz NOT NULL,
    finished_at timestamptz,
    unfinished integer NOT NULL DEFAULT 0,
    problem text
);
COMMENT ON TABLE volatile.passes IS
    'One row: the current pass of the worker, and the outcome of the last one that finished';
COMMENT ON COLUMN volatile.passes.unfinished IS
    'How many passes in succession began and did not finish before this one';

CREATE UNLOGGED TABLE volatile.queued (
    version_id uuid PRIMARY KEY,
    queued_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE volatile.queued IS 'The pending versions that are in the queue';

CREATE UNLOGGED TABLE volatile.vector_changes (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL
);
COMMENT ON TABLE volatile.vector_changes IS
    'Passages that became searchable, are so no longer, or have a vector now, until Chroma has followed';

CREATE UNLOGGED TABLE volatile.vector_index (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    passages integer NOT NULL,
    expected integer NOT NULL,
    present integer NOT NULL
);
COMMENT ON TABLE volatile.vector_index IS
    'One row: how many passages are searchable, how many of them have a vector, which Chroma has to hold, and how many '
    'vectors it held, when the worker last counted them';
"""
_DIGEST = hashlib.sha256(DEFINITION.encode()).hexdigest()


def ensure(connection: Connection) -> None:
    """Create the schema, unless it exists with this definition. Commits nothing."""
    digest = connection.scalar(text("SELECT obj_description(to_regnamespace('volatile'), 'pg_namespace')"))
    if digest != _DIGEST:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS volatile CASCADE")
        connection.exec_driver_sql(DEFINITION)
        connection.exec_driver_sql(f"COMMENT ON SCHEMA volatile IS '{_DIGEST}'")
