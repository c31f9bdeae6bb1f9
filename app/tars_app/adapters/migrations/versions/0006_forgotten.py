# SPDX-License-Identifier: GPL-3.0-or-later
"""Record which contents were forgotten, without their text and names, so that they are not read again."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

UPGRADE = """
CREATE TABLE forgotten (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    versions integer NOT NULL,
    erased_at timestamptz,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);
COMMENT ON TABLE forgotten IS
    'The documents that were forgotten. A row changes when what the files of the stores held of it is erased, and is '
    'deleted when the household takes it back';
COMMENT ON COLUMN forgotten.id IS 'Random; not the id that the document had';
COMMENT ON COLUMN forgotten.forgotten_at IS 'When';
COMMENT ON COLUMN forgotten.versions IS 'How many versions it had';
COMMENT ON COLUMN forgotten.erased_at IS
    'Since when the files of the stores no longer hold its text; NULL: the worker has to erase it';
COMMENT ON COLUMN forgotten.number IS
    'Increases with every document, so that a process sees that it has to remove one from its memory';

CREATE TABLE forgotten_contents (
    digest bytea CHECK (octet_length(digest) = 32),
    forgotten_id uuid REFERENCES forgotten ON DELETE CASCADE,
    PRIMARY KEY (digest, forgotten_id)
);
COMMENT ON TABLE forgotten_contents IS
    'What is not read again: every content that a forgotten document had, and what was under its paths before. Rows '
    'are only added, and deleted with their document';
COMMENT ON COLUMN forgotten_contents.digest IS
    'SHA-256 of the SHA-256 of a content, or of a path';
COMMENT ON COLUMN forgotten_contents.forgotten_id IS 'The forgotten document';

COMMENT ON TABLE document_paths IS
    'Every path that a document has had. Rows are only added, and deleted when the document is forgotten';
COMMENT ON TABLE versions IS
    'The contents that a document has had. A row changes while its file is being read, when the file is touched '
    'without a change of content, when its date is determined, and when the next version or the deletion ends it. '
    'Rows are deleted only when the document is forgotten';
COMMENT ON TABLE version_texts IS
    'The text of each version that was indexed, as the list of its passages. (Versions that were superseded before '
    'schema 0003 have no text.) The four arrays have one element for each passage. The text of a page is '
    'before || passage || after of its elements, one after the other. Rows are only added, and deleted when the '
    'document is forgotten';
COMMENT ON TABLE passages IS
    'The passages of all versions, each text once. A row is deleted when the last document that had it is forgotten; '
    'searchable changes when the first living document that contains the passage appears, and when the last one no '
    'longer contains it';
COMMENT ON TABLE vectors IS
    'The vectors of passages, for each embedding model that was in use. A passage on which the model fails has none. '
    'Rows are only added, and deleted with their passage';
"""


def upgrade() -> None:
    """Upgrade from 0005."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Return to 0005. What was forgotten is read again if its file still exists."""
    op.execute("DROP TABLE forgotten_contents, forgotten")
