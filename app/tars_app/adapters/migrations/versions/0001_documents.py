# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources, documents, versions, pages, chunks, and the vectors that no chunk claims."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMA = """
CREATE TABLE sources (
    name text PRIMARY KEY,
    root text NOT NULL,
    available boolean NOT NULL,
    detail text,
    scanned_at timestamptz NOT NULL
);

CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    source text NOT NULL,
    path text NOT NULL,
    size bigint,
    mtime_ns bigint,
    deleted_at timestamptz
);
COMMENT ON COLUMN documents.mtime_ns IS 'As the last look at the file found it, like size; NULL: look again';
CREATE UNIQUE INDEX documents_living ON documents (source, path) WHERE deleted_at IS NULL;
CREATE INDEX documents_deleted ON documents (source, path, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE versions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    sha256 text,
    size bigint NOT NULL,
    modified timestamptz NOT NULL,
    seen_from timestamptz NOT NULL DEFAULT now(),
    seen_to timestamptz,
    state text NOT NULL CHECK (state IN ('pending', 'indexed', 'failed')),
    error text,
    pages integer,
    chunks integer,
    queued_at timestamptz,
    ingest_s double precision
);
COMMENT ON COLUMN versions.sha256 IS 'NULL: never read, because too large or not readable';
CREATE UNIQUE INDEX versions_current ON versions (document_id) WHERE seen_to IS NULL;
CREATE INDEX versions_of_document ON versions (document_id, seen_from);
CREATE INDEX versions_waiting ON versions (queued_at) WHERE state = 'pending' AND seen_to IS NULL;

CREATE TABLE pages (
    version_id uuid NOT NULL REFERENCES versions ON DELETE CASCADE,
    number integer NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (version_id, number)
);
COMMENT ON COLUMN pages.number IS 'From 1; 0 for the whole of a text that has no pages';

CREATE TABLE chunks (
    id uuid PRIMARY KEY,
    version_id uuid NOT NULL,
    ordinal integer NOT NULL,
    page integer NOT NULL,
    start_offset integer NOT NULL,
    end_offset integer NOT NULL,
    text text NOT NULL,
    language regconfig NOT NULL,
    terms tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(language, text)) STORED,
    UNIQUE (version_id, ordinal),
    FOREIGN KEY (version_id, page) REFERENCES pages ON DELETE CASCADE
);
CREATE INDEX chunks_terms ON chunks USING gin (terms);

CREATE TABLE unclaimed_vectors (
    chunk_id uuid PRIMARY KEY,
    remove_after timestamptz NOT NULL
);
COMMENT ON TABLE unclaimed_vectors IS
    'Written before a vector is, and taken back by the transaction that makes its chunk visible: whatever '
    'crashes in between leaves a row here, and the vector is removed when its time has come';
CREATE INDEX unclaimed_vectors_due ON unclaimed_vectors (remove_after);
"""


def upgrade() -> None:
    op.execute(SCHEMA)


def downgrade() -> None:
    op.execute("DROP TABLE unclaimed_vectors, chunks, pages, versions, documents, sources")
