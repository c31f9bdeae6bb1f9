# SPDX-License-Identifier: GPL-3.0-or-later
"""Allow any file time and any path; record attempts and notes of versions, and the passes of the worker."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# An index on the path itself refuses paths of more than about 2,700 bytes. 64 bits of nanoseconds end in 2262.
UPGRADE = """
ALTER TABLE documents ALTER COLUMN mtime_ns TYPE numeric(30);
COMMENT ON COLUMN documents.mtime_ns IS 'When the file was last observed, like size; NULL: observe it again';
DROP INDEX documents_living, documents_deleted;
CREATE UNIQUE INDEX documents_living ON documents (source, md5(path)) WHERE deleted_at IS NULL;
CREATE INDEX documents_deleted ON documents (source, md5(path), deleted_at) WHERE deleted_at IS NOT NULL;

ALTER TABLE versions
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN time_note text,
    ADD COLUMN index_note text;
COMMENT ON COLUMN versions.attempts IS 'How often reading it began without an end or a reason to wait';
COMMENT ON COLUMN versions.time_note IS 'Why modified is not the time of the file';
COMMENT ON COLUMN versions.index_note IS 'What is missing from the index of this version';

CREATE TABLE passes (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    started_at timestamptz NOT NULL,
    progress_at timestamptz NOT NULL,
    finished_at timestamptz,
    unfinished integer NOT NULL DEFAULT 0,
    problem text
);
COMMENT ON TABLE passes IS 'One row: the current pass of the worker, and the outcome of the last one that finished';
COMMENT ON COLUMN passes.unfinished IS 'How many passes in succession began and did not finish before this one';
"""

# Times after 2262 do not fit into the old column; NULL makes the worker observe these files again.
DOWNGRADE = """
DROP TABLE passes;
ALTER TABLE versions DROP COLUMN attempts, DROP COLUMN time_note, DROP COLUMN index_note;
DROP INDEX documents_living, documents_deleted;
ALTER TABLE documents ALTER COLUMN mtime_ns TYPE bigint
    USING CASE WHEN mtime_ns BETWEEN -9223372036854775808 AND 9223372036854775807 THEN mtime_ns::bigint END;
CREATE UNIQUE INDEX documents_living ON documents (source, path) WHERE deleted_at IS NULL;
CREATE INDEX documents_deleted ON documents (source, path, deleted_at) WHERE deleted_at IS NOT NULL;
"""


def upgrade() -> None:
    """Upgrade from 0001."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0001."""
    op.execute(DOWNGRADE)
