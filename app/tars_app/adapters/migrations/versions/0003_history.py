# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep every version as a list of passages shared by content hash, with their vectors beside them."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE passages (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    text text NOT NULL,
    language regconfig NOT NULL,
    searchable boolean NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    terms tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(language, text)) STORED
);

CREATE TABLE version_texts (
    version_id uuid PRIMARY KEY REFERENCES versions ON DELETE CASCADE,
    hashes bytea[] NOT NULL,
    pages integer[] NOT NULL,
    before text[] NOT NULL,
    after text[] NOT NULL,
    CHECK (cardinality(hashes) > 0 AND cardinality(hashes) = ALL (ARRAY[
        cardinality(pages), cardinality(before), cardinality(after)]))
);

CREATE TABLE vectors (
    hash bytea NOT NULL REFERENCES passages,
    model text NOT NULL,
    embedding bytea NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    PRIMARY KEY (hash, model)
);
ALTER TABLE vectors ALTER COLUMN embedding SET STORAGE EXTERNAL;  -- it does not compress

CREATE TABLE document_passages (
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    hash bytea NOT NULL REFERENCES passages,
    PRIMARY KEY (document_id, hash)
);

CREATE TABLE document_paths (
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    seen_from timestamptz NOT NULL DEFAULT now(),
    path text NOT NULL,
    PRIMARY KEY (document_id, seen_from)
);

ALTER TABLE documents ADD COLUMN answered_from uuid REFERENCES versions ON DELETE SET NULL;
"""

# Until now only the version that a document is answered from had pages and chunks. What stands between the chunks of a
# page goes before the chunk that follows, and what is left of the page after its last one.
DATA = """
CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
SELECT c.version_id, c.ordinal, c.page, c.text, c.language, sha256(convert_to(c.text, 'UTF8')) AS hash,
       substr(p.text, lag(c.end_offset, 1, 0) OVER same_page + 1,
              c.start_offset - lag(c.end_offset, 1, 0) OVER same_page) AS before,
       CASE WHEN lead(c.ordinal) OVER same_page IS NULL THEN substr(p.text, c.end_offset + 1) ELSE '' END AS after
FROM chunks c JOIN pages p ON p.version_id = c.version_id AND p.number = c.page
WINDOW same_page AS (PARTITION BY c.version_id, c.page ORDER BY c.ordinal);

INSERT INTO passages (hash, text, language, searchable)
SELECT DISTINCT ON (hash) hash, text, language, true FROM placed ORDER BY hash;

INSERT INTO version_texts (version_id, hashes, pages, before, after)
SELECT version_id, array_agg(hash ORDER BY ordinal), array_agg(page ORDER BY ordinal),
       array_agg(before ORDER BY ordinal), array_agg(after ORDER BY ordinal)
FROM placed GROUP BY version_id;

UPDATE documents d SET answered_from = v.id FROM versions v JOIN version_texts t ON t.version_id = v.id
WHERE v.document_id = d.id;

INSERT INTO document_passages (document_id, hash)
SELECT DISTINCT v.document_id, p.hash FROM placed p JOIN versions v ON v.id = p.version_id;

INSERT INTO document_paths (document_id, seen_from, path)
SELECT d.id, coalesce(min(v.seen_from), now()), d.path
FROM documents d LEFT JOIN versions v ON v.document_id = d.id GROUP BY d.id;
"""

INDEXES = """
CREATE INDEX passages_terms ON passages USING gin (terms) WHERE searchable;
CREATE INDEX passages_searchable ON passages (hash) WHERE searchable;
CREATE INDEX document_passages_hash ON document_passages (hash);
"""

# The heartbeats move to the schema volatile, which tars_app.adapters.volatile creates.
OLD = """
DROP TABLE unclaimed_vectors, chunks, pages, passes;
DROP INDEX versions_waiting;
ALTER TABLE versions DROP COLUMN queued_at;
ALTER TABLE sources DROP COLUMN scanned_at;
CREATE INDEX versions_waiting ON versions (seen_from) WHERE state = 'pending' AND seen_to IS NULL;
"""

COMMENTS = """
COMMENT ON TABLE sources IS
    'The shares. A row changes when the share goes away, comes back, or something in it can no longer be read';
COMMENT ON COLUMN sources.name IS 'Name of the share';
COMMENT ON COLUMN sources.root IS 'Folder in the container where the share is mounted';
COMMENT ON COLUMN sources.available IS 'Whether the last scan could read the share';
COMMENT ON COLUMN sources.detail IS 'Why the share is not available, or what cannot be read in it';

COMMENT ON TABLE documents IS
    'The files of the shares, deleted ones too. A row changes when its file is changed, renamed, deleted, or returns';
COMMENT ON COLUMN documents.id IS 'Kept when the file is renamed, and when it returns under the same path';
COMMENT ON COLUMN documents.source IS 'Name of the share';
COMMENT ON COLUMN documents.path IS 'Path below the share, now or last';
COMMENT ON COLUMN documents.size IS 'Bytes of the file when it was last observed';
COMMENT ON COLUMN documents.mtime_ns IS
    'Modification time of the file when it was last observed, in ns since 1970; NULL: observe it again';
COMMENT ON COLUMN documents.deleted_at IS 'Since when the file is gone; NULL while it exists';
COMMENT ON COLUMN documents.answered_from IS
    'The version that search and answers use: the last one that was indexed. NULL: none, or the file is deleted';

COMMENT ON TABLE document_paths IS 'Every path that a document has had. Rows are only added';
COMMENT ON COLUMN document_paths.document_id IS 'The document';
COMMENT ON COLUMN document_paths.seen_from IS 'Since when the document had this path, until its next row';
COMMENT ON COLUMN document_paths.path IS 'Path below the share';

COMMENT ON TABLE versions IS
    'The contents that a document has had. A row changes while its file is being read, when the file is touched '
    'without a change of content, and when the next version or the deletion ends it. No row is deleted';
COMMENT ON COLUMN versions.id IS 'Random';
COMMENT ON COLUMN versions.document_id IS 'The document';
COMMENT ON COLUMN versions.sha256 IS 'SHA-256 of the file; NULL: never read, because too large or not readable';
COMMENT ON COLUMN versions.size IS 'Bytes of the file';
COMMENT ON COLUMN versions.modified IS 'Modification time of the file, clipped to plausible years';
COMMENT ON COLUMN versions.seen_from IS 'When this content was first observed';
COMMENT ON COLUMN versions.seen_to IS
    'When the next content or the deletion was observed; NULL for the current version. The next version begins at '
    'this time, except after a deletion';
COMMENT ON COLUMN versions.state IS 'pending, indexed or failed';
COMMENT ON COLUMN versions.error IS 'Why it failed, or what it waits for';
COMMENT ON COLUMN versions.pages IS 'Number of pages that have text; NULL until it is indexed';
COMMENT ON COLUMN versions.chunks IS 'Number of passages, repeated ones included; NULL until it is indexed';
COMMENT ON COLUMN versions.ingest_s IS 'How long reading took, in seconds';
COMMENT ON COLUMN versions.attempts IS 'How often reading it began without an end or a reason to wait';
COMMENT ON COLUMN versions.time_note IS 'Why modified is not the time of the file';
COMMENT ON COLUMN versions.index_note IS 'What is missing from the index of this version';

COMMENT ON TABLE version_texts IS
    'The text of each version that was indexed, as the list of its passages. (Versions that were superseded before '
    'schema 0003 have no text.) The four arrays have one element for each passage. The text of a page is '
    'before || passage || after of its elements, one after the other. Rows are only added';
COMMENT ON COLUMN version_texts.version_id IS 'The version';
COMMENT ON COLUMN version_texts.hashes IS 'The passages, in order; each is in table passages';
COMMENT ON COLUMN version_texts.pages IS 'Page of each passage, from 1; 0 for a text that has no pages';
COMMENT ON COLUMN version_texts.before IS 'Text between the previous passage of the page, or its begin, and this one';
COMMENT ON COLUMN version_texts.after IS 'Text between the last passage of a page and its end; empty for the others';

COMMENT ON TABLE passages IS
    'The passages of all versions, each text once. No row is deleted; searchable changes when the first living '
    'document that contains the passage appears, and when the last one no longer contains it';
COMMENT ON COLUMN passages.hash IS 'SHA-256 of the text in UTF-8';
COMMENT ON COLUMN passages.text IS 'A piece of a page that fits the embedding model, letter for letter';
COMMENT ON COLUMN passages.language IS 'Text search configuration of terms; changes for all rows with the setting';
COMMENT ON COLUMN passages.searchable IS 'Whether a row of document_passages has this hash';
COMMENT ON COLUMN passages.number IS
    'Increases with every new passage, so that a backup has new rows beside each other';
COMMENT ON COLUMN passages.terms IS 'The words for full text search; computed from language and text';

COMMENT ON TABLE vectors IS
    'The vectors of passages, for each embedding model that was in use. A passage on which the model fails has none. '
    'Rows are only added';
COMMENT ON COLUMN vectors.hash IS 'The passage';
COMMENT ON COLUMN vectors.model IS 'Name of the embedding model';
COMMENT ON COLUMN vectors.embedding IS
    'The vector scaled to length 1, as little-endian IEEE 754 half precision numbers';
COMMENT ON COLUMN vectors.number IS 'Increases with every new vector, so that a backup has new rows beside each other';

COMMENT ON TABLE document_passages IS
    'The passages of the version that each document is answered from, each once. Only rows of passages that a new '
    'version adds or no longer has are added and deleted';
COMMENT ON COLUMN document_passages.document_id IS 'The document';
COMMENT ON COLUMN document_passages.hash IS 'The passage';
"""


def upgrade() -> None:
    """Upgrade from 0002. The texts are kept; the worker computes the vectors again, as they were in Chroma only."""
    for statements in (TABLES, DATA, INDEXES, OLD, COMMENTS):
        op.execute(statements)


def downgrade() -> None:
    """Refuse: the older schema has no place for superseded versions.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("schema 0003 keeps the history, which 0002 cannot hold: restore a backup instead")
