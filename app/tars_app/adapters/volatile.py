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
    queued_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz
);
COMMENT ON TABLE volatile.queued IS 'The pending versions that are in the queue';
COMMENT ON COLUMN volatile.queued.queued_at IS
    'When its message was sent; -infinity: it was not sent, and precedes all others, as a person asked for it';
COMMENT ON COLUMN volatile.queued.started_at IS 'Since when it is being read; NULL: it is not';

CREATE UNLOGGED TABLE volatile.readings (
    minute timestamptz PRIMARY KEY,
    files integer NOT NULL,
    bytes bigint NOT NULL
);
COMMENT ON TABLE volatile.readings IS
    'How many files were read in each minute of the last hour, from which the rate follows';

CREATE UNLOGGED TABLE volatile.entries (
    source text NOT NULL,
    path text NOT NULL,
    because text NOT NULL,
    detail text
);
CREATE UNIQUE INDEX entries_path ON volatile.entries (source, md5(path));
COMMENT ON TABLE volatile.entries IS
    'What the last scan of each share came upon beside the documents on record, and why it is not read';
COMMENT ON COLUMN volatile.entries.because IS
    'found: it was not read for the first time yet; writing: it is still being written; unreadable; or why it is '
    'ignored: system, hidden, temporary, format, link, special or loop';

CREATE UNLOGGED TABLE volatile.listings (
    source text PRIMARY KEY,
    digest bytea NOT NULL,
    more_ignored integer NOT NULL
);
COMMENT ON TABLE volatile.listings IS
    'Which entries of each share are on record, so that the same ones are not written again';
COMMENT ON COLUMN volatile.listings.digest IS 'SHA-256 of the entries';
COMMENT ON COLUMN volatile.listings.more_ignored IS 'How many are ignored that are not in volatile.entries';

CREATE UNLOGGED TABLE volatile.file_checks (
    document_id uuid PRIMARY KEY,
    ctime_ns numeric(30) NOT NULL,
    checked_at timestamptz NOT NULL
);
COMMENT ON TABLE volatile.file_checks IS
    'When the whole file of each document was last read, so that a change that keeps size and modification time is '
    'noticed';
COMMENT ON COLUMN volatile.file_checks.ctime_ns IS
    'Change time (ctime) of the file then, in ns since 1970, which no program can set';

CREATE UNLOGGED TABLE volatile.snapshots (
    source text,
    name text,
    taken timestamptz,
    state text NOT NULL,
    detail text,
    PRIMARY KEY (source, name)
);
COMMENT ON TABLE volatile.snapshots IS
    'The snapshots that the NAS shows in a share, and those that it deleted before they were imported. Their states: '
    'imported; waiting; watched: the share was being scanned at that time; old: older than the limit; no time: its '
    'name has none; ahead: its time is in the future; wrong time: it contains files of a later time; unreadable; gone';
CREATE UNLOGGED TABLE volatile.skipped_files (
    place bytea PRIMARY KEY,
    size bigint NOT NULL,
    mtime_ns numeric(30) NOT NULL
);
COMMENT ON TABLE volatile.skipped_files IS
    'Files whose content was forgotten, by the digest of their path: not read again while size and time stay';

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
    present integer NOT NULL,
    model text NOT NULL,
    recall real
);
COMMENT ON TABLE volatile.vector_index IS
    'One row: how many passages are searchable, how many of them have a vector, which Chroma has to hold, and how many '
    'vectors it held, when the worker last counted them';
COMMENT ON COLUMN volatile.vector_index.model IS
    'The embedding model whose vectors answer questions: after a change the former one, until the new ones are made';
COMMENT ON COLUMN volatile.vector_index.recall IS
    'Share of the nearest passages of a sample that Chroma returned, when the worker last compared it; NULL: not yet';
"""
_DIGEST = hashlib.sha256(DEFINITION.encode()).hexdigest()


def ensure(connection: Connection) -> None:
    """Create the schema, unless it exists with this definition. Commits nothing."""
    digest = connection.scalar(text("SELECT obj_description(to_regnamespace('volatile'), 'pg_namespace')"))
    if digest != _DIGEST:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS volatile CASCADE")
        connection.exec_driver_sql(DEFINITION)
        connection.exec_driver_sql(f"COMMENT ON SCHEMA volatile IS '{_DIGEST}'")
